/*
 * User-Mode Linux before 6.13 sets a process's extended registers with a buffer of a fixed size. A host whose CPU has more of them (AMX) refuses
 * a buffer that is not the whole (arch/x86/kernel/fpu/regset.c: xstateregs_set), and the guest's first process dies. Preloaded into it,
 * this fills the rest with what is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PEEKUSER 3
#define GETREGSET 0x4204
#define SETREGSET 0x4205
#define XSTATE 0x202

long ptrace(int request, ...) {
  va_list rest;
  va_start(rest, request);
  long pid = va_arg(rest, pid_t);
  unsigned long address = va_arg(rest, unsigned long);
  unsigned long data = va_arg(rest, unsigned long);
  va_end(rest);

  if (request == SETREGSET && address == XSTATE) {
    static char whole[65536];
    struct iovec *given = (struct iovec *)data;
    struct iovec all = {whole, sizeof whole};
    if (syscall(SYS_ptrace, GETREGSET, pid, address, &all) == 0 && all.iov_len > given->iov_len) {
      memcpy(whole, given->iov_base, given->iov_len);
      return syscall(SYS_ptrace, SETREGSET, pid, address, &all);
    }
  }
  if (request > 0 && request <= PEEKUSER) {
    /* the system call stores the word, the C function returns it */
    long word;
    if (syscall(SYS_ptrace, request, pid, address, &word) < 0) return -1;
    errno = 0;
    return word;
  }
  return syscall(SYS_ptrace, request, pid, address, data);
}
