/*
 * User-Mode Linux before 6.13 sets a process's extended registers with a buffer of a fixed size. A host whose CPU has more of them (AMX)
 * refuses a buffer that is not the whole (arch/x86/kernel/fpu/regset.c: xstateregs_set), and the guest's first process dies. Preloaded into
 * it, this fills the rest with what is there. No headers but the compiler's own, so that a compiler alone can build it.
 */
#include <stdarg.h>

struct iovec {
  void *base;
  unsigned long length;
};

long syscall(long number, ...);
int *__errno_location(void);

enum { PTRACE = 101, PEEKUSER = 3, GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202 };

long ptrace(int request, ...) {
  va_list rest;
  va_start(rest, request);
  long pid = va_arg(rest, int);
  unsigned long address = va_arg(rest, unsigned long);
  unsigned long data = va_arg(rest, unsigned long);
  va_end(rest);

  if (request == SETREGSET && address == XSTATE) {
    static char whole[65536];
    struct iovec *given = (struct iovec *)data;
    struct iovec all = {whole, sizeof whole};
    if (syscall(PTRACE, GETREGSET, pid, address, &all) == 0 && all.length > given->length) {
      for (unsigned long at = 0; at < given->length; at += 1) whole[at] = ((volatile char *)given->base)[at];
      return syscall(PTRACE, SETREGSET, pid, address, &all);
    }
  }
  if (request > 0 && request <= PEEKUSER) {
    /* the system call stores the word, the C function returns it */
    long word;
    if (syscall(PTRACE, request, pid, address, &word) < 0) return -1;
    *__errno_location() = 0;
    return word;
  }
  return syscall(PTRACE, request, pid, address, data);
}
