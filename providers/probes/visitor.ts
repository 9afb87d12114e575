import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What came of a visit: the first line of the reply (empty when only connecting), or where it failed with which errno. */
export type Visit =
  | { readonly line: string }
  | { readonly errno: number; readonly at: string }
  /** The visitor itself does not work. */
  | { readonly broken: string };

/** Does things from within network namespaces, each named by a process in it. */
export interface Visitor {
  /** Connects in the namespace of process `pid`; writes `request` if it is not empty, and then waits for one line. */
  visit(pid: number, address: string, port: number, request: Buffer, signal: AbortSignal): Promise<Visit>;
  /** Reads files as they are seen there: `=TEXT` each, or nothing for one that cannot be read, with a NUL between them. */
  read(pid: number, files: readonly string[], signal: AbortSignal): Promise<Visit>;
  /** Writes a file that is there; it may fail at `write`. */
  write(pid: number, file: string, text: string, signal: AbortSignal): Promise<Visit>;
  close(): void;
}

/** Number of the system call setns, by Node's name of the processor. */
const SETNS: Readonly<Record<string, number>> = { x64: 308, arm64: 268 };

/** select(2) knows 1024 descriptors. */
const AT_ONCE = 500;

/**
 * One perl process (perl-base is on every Debian and Ubuntu) for all probes of a host: it enters a namespace only to make a
 * socket, which stays there, or to open files, comes home at once, and polls all sockets together. Node cannot do it: its threads
 * share nothing but the namespace they were born in, and a process per probe costs ten to a hundred times as much.
 * In:  `ID PID ADDRESS PORT REQUEST-IN-HEX`, `ID PID < FILE…`, `ID PID > FILE TEXT-IN-HEX`, or `ID` to give it up.
 * Out: `ID 0 LINE-IN-HEX`, or `ID ERRNO WHERE`.
 */
const SCRIPT = String.raw`
use strict; use Socket; use Fcntl;
my $setns = shift; my (%live, %by, $in); $in = ''; $| = 1;
open(my $home, '<', '/proc/self/ns/net') or exit 3;
sub enter { syscall($setns, fileno($_[0]), 0x40000000) == 0 }
sub done { my ($v, @say) = @_; delete $live{fileno $v->{s}} if $v->{s}; delete $by{$v->{id}}; close $v->{s} if $v->{s}; print "$v->{id} @say\n" if @say }
sub slurp { my ($f, $text); open($f, '<', $_[0]) && defined sysread($f, $text, 65536) ? "=$text" : '' }
sub put { my ($f, $why); open($f, '+<', $_[0]) && defined syswrite($f, pack('H*', $_[1])) or $why = $!+0; $why }
sub files {
  my ($id, $pid, $way, @files) = @_; my $v = { id => $id };
  open(my $ns, '<', "/proc/$pid/ns/net") or return done($v, $!+0, 'namespace');
  # the number of a process that went is another's by now, of this machine: as if there were none (ESRCH)
  (stat $ns)[1] == (stat $home)[1] and return done($v, 3, 'namespace');
  enter($ns) or return done($v, $!+0, 'namespace');
  my ($texts, $why) = $way eq '<' ? join("\0", map { slurp($_) } @files) : ('', put(@files));
  enter($home) or exit 4;
  $why ? done($v, $why, 'write') : done($v, 0, unpack('H*', $texts));
}
sub begin {
  my ($id, $pid, $host, $port, $hex) = @_; my $v = { id => $id, out => pack('H*', $hex), in => '' };
  open(my $ns, '<', "/proc/$pid/ns/net") or return done($v, $!+0, 'namespace');
  enter($ns) or return done($v, $!+0, 'namespace');
  my $made = socket(my $s, PF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK | Socket::SOCK_CLOEXEC, 0); my $why = $!+0;
  enter($home) or exit 4; close $ns;
  return done($v, $why, 'socket') unless $made;
  $v->{s} = $s; $live{fileno $s} = $v; $by{$id} = $v;
  connect($s, pack_sockaddr_in($port, inet_aton($host))) or $!{EINPROGRESS} or return done($v, $!+0, 'connect');
  $v->{connecting} = 1;
}
while (1) {
  my ($r, $w) = ('', ''); vec($r, 0, 1) = 1;
  for (keys %live) { if ($live{$_}{connecting}) { vec($w, $_, 1) = 1 } else { vec($r, $_, 1) = 1 } }
  select($r, $w, undef, undef) < 0 and next;
  for my $v (values %live) {
    my $n = fileno $v->{s};
    if (vec($w, $n, 1)) {
      my $error = unpack('i', getsockopt($v->{s}, SOL_SOCKET, SO_ERROR));
      if ($error) { done($v, $error, 'connect'); next }
      if ($v->{out} eq '') { done($v, 0, ''); next }
      $v->{connecting} = 0;
      defined syswrite($v->{s}, $v->{out}) or done($v, $!+0, 'write');
    } elsif (vec($r, $n, 1)) {
      my $got = sysread($v->{s}, $v->{in}, 1024, length $v->{in});
      if (!defined $got) { done($v, $!+0, 'read') unless $!{EAGAIN} }
      elsif ($got == 0 || $v->{in} =~ /\n/ || length $v->{in} > 1024) { done($v, 0, unpack('H*', (split /\r?\n/, $v->{in})[0] // '')) }
    }
  }
  if (vec($r, 0, 1)) {
    sysread(STDIN, $in, 65536, length $in) or exit 0;
    while ($in =~ s/^(.*)\n//) { my @ask = split / /, $1; if (@ask == 1) { done($by{$ask[0]}) if $by{$ask[0]} } elsif ($ask[2] =~ /[<>]/) { files(@ask) } else { begin(@ask) } }
  }
}
`;

/** The visitor of this machine, or undefined where the processor's number of setns is not known. The process starts with the first visit, and again after its end. */
export function perlVisitor(perl = 'perl'): Visitor | undefined {
  const setns = SETNS[process.arch];
  if (setns === undefined) return undefined;
  const waiting = new Map<number, (visit: Visit) => void>();
  const queue: (() => void)[] = [];
  let child: ChildProcessWithoutNullStreams | undefined;
  let last = 0;

  const failAll = (): void => {
    for (const resolve of [...waiting.values()]) resolve({ broken: `${perl} ended` });
  };
  const started = (): ChildProcessWithoutNullStreams => {
    if (child) return child;
    const fresh = spawn(perl, ['-e', SCRIPT, String(setns)], { stdio: 'pipe', env: { PATH: process.env['PATH'] } });
    child = fresh;
    const gone = (): void => {
      if (child !== fresh) return;
      child = undefined;
      failAll();
    };
    fresh.on('error', gone).on('exit', gone);
    fresh.stdin.on('error', gone);
    fresh.stderr.resume();
    createInterface({ input: fresh.stdout }).on('line', (line) => {
      const [id = '', errno = '', ...rest] = line.split(' ');
      const text = rest.join(' ');
      waiting.get(Number(id))?.(
        errno === '0' ? { line: Buffer.from(text, 'hex').toString('latin1') } : { errno: Number(errno), at: text },
      );
    });
    // it must not keep this process alive: a probe's own timeout does while one waits
    fresh.unref();
    for (const pipe of [fresh.stdin, fresh.stdout, fresh.stderr]) if (pipe instanceof Socket) pipe.unref();
    return fresh;
  };

  const ask = (words: string, signal: AbortSignal): Promise<Visit> =>
    new Promise((resolve) => {
      const id = (last += 1);
      const send = (text: string): void => {
        started().stdin.write(`${String(id)}${text}\n`);
      };
      const finish = (visit: Visit): void => {
        waiting.delete(id);
        signal.removeEventListener('abort', abort);
        resolve(visit);
        queue.shift()?.();
      };
      const abort = (): void => {
        if (child) send('');
        finish({ errno: 0, at: 'no answer in time' });
      };
      const begin = (): void => {
        if (signal.aborted) {
          resolve({ errno: 0, at: 'no answer in time' });
          queue.shift()?.();
          return;
        }
        waiting.set(id, finish);
        signal.addEventListener('abort', abort, { once: true });
        send(` ${words}`);
      };
      if (waiting.size < AT_ONCE) begin();
      else queue.push(begin);
    });

  return {
    visit: (pid, address, port, request, signal) =>
      ask(`${String(pid)} ${address} ${String(port)} ${request.toString('hex')}`, signal),
    read: (pid, files, signal) => ask(`${String(pid)} < ${files.join(' ')}`, signal),
    write: (pid, file, text, signal) => ask(`${String(pid)} > ${file} ${Buffer.from(text).toString('hex')}`, signal),
    close: () => {
      child?.stdin.end();
      child?.kill();
    },
  };
}

/** `FILE:TEXT` lines of `grep -H` as a visitor's answer; of several lines of a file all count. */
function grepped(files: readonly string[], output: string): string {
  const lines = output.split('\n').filter((line) => line !== '');
  const texts = files.map((file) =>
    lines.filter((line) => line.startsWith(`${file}:`)).map((line) => line.slice(file.length + 1)),
  );
  return texts.map((own) => (own.length === 0 ? '' : `=${own.join('\n')}`)).join('\0');
}

const ONCE = `
const [address, port, request] = process.argv.slice(1);
let reply = '';
const end = (answer) => { process.stdout.write(JSON.stringify(answer)); process.exit(0); };
const socket = require('node:net').connect(Number(port), address, () => request === '' ? end({ line: '' }) : socket.write(Buffer.from(request, 'hex')));
socket.setEncoding('latin1');
socket.on('data', (text) => { reply += text; if (/\\n/.test(reply) || reply.length > 1024) socket.destroy(); });
socket.on('close', () => end({ line: reply.split(/\\r?\\n/)[0] }));
socket.on('error', (error) => end({ errno: -error.errno, at: error.syscall }));
`;

/** The number of a process that went is another's by now, of this machine: as if there were none. */
function ours(pid: number): Visit | undefined {
  const home = (of: string): string | undefined => {
    try {
      return readlinkSync(`/proc/${of}/ns/net`);
    } catch {
      return undefined;
    }
  };
  const there = home(String(pid));
  return there !== undefined && there === home('self') ? { errno: constants.errno.ESRCH, at: 'namespace' } : undefined;
}

/** A visitor that needs nothing but nsenter: a process for each visit, of Node with some 60 ms of CPU for a probe. For machines without perl. */
export function nodeVisitor(): Visitor {
  const enter = async (
    pid: number,
    command: readonly string[],
    signal: AbortSignal,
    { input = '', statuses = [0] }: { readonly input?: string; readonly statuses?: readonly number[] } = {},
  ): Promise<{ readonly stdout: string } | Exclude<Visit, { readonly line: string }>> => {
    try {
      const running = run('nsenter', [`--net=/proc/${String(pid)}/ns/net`, '--', ...command], { signal });
      running.child.stdin?.on('error', () => undefined).end(input);
      return await running;
    } catch (error) {
      if (signal.aborted) return { errno: 0, at: 'no answer in time' };
      const { code, stdout, stderr } = error as {
        readonly code?: unknown;
        readonly stdout?: string;
        readonly stderr?: string;
      };
      if (stderr?.startsWith('nsenter:') === true) return { errno: constants.errno.ENOENT, at: 'namespace' };
      if (statuses.includes(Number(code))) return { stdout: stdout ?? '' };
      return { broken: error instanceof Error ? error.message : String(error) };
    }
  };
  return {
    visit: async (pid, address, port, request, signal) => {
      const node = [process.execPath, '-e', ONCE, address, String(port), request.toString('hex')];
      const done = await enter(pid, node, signal);
      return 'stdout' in done ? (JSON.parse(done.stdout) as Visit) : done;
    },
    read: async (pid, files, signal) => {
      const gone = ours(pid);
      if (gone) return gone;
      // 1: no line anywhere, 2: some file cannot be read
      const done = await enter(pid, ['grep', '-sH', '', '--', ...files], signal, { statuses: [1, 2] });
      return 'stdout' in done ? { line: grepped(files, done.stdout) } : done;
    },
    write: async (pid, file, text, signal) => {
      const gone = ours(pid);
      if (gone) return gone;
      const done = await enter(pid, ['dd', 'conv=nocreat,notrunc', 'status=none', `of=${file}`], signal, {
        input: text,
      });
      if ('stdout' in done) return { line: '' };
      // what the kernel says is in dd's words
      if (!('broken' in done) || !/^dd: /m.test(done.broken)) return done;
      return {
        errno: /Invalid argument/.test(done.broken) ? constants.errno.EINVAL : constants.errno.EPERM,
        at: 'write',
      };
    },
    close: () => undefined,
  };
}
