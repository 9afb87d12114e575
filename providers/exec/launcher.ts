import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { semaphore } from '../../reconciler/model/semaphore.ts';
import { ABORTED, afterKill, environment, LEFT, systemExec, WORKING } from './exec.ts';
import type { Exec, Finished, RunOptions } from './exec.ts';

/** An Exec that holds a process of its own. */
export interface Launcher extends Exec {
  /** Lets go of the process; resolves once it has ended. What still runs has failed. */
  close(): Promise<void>;
}

/**
 * Starts programs for a process that is too large to do so itself: Node forks its whole self for each, and does nothing else for 4 to 6 ms
 * with 85 MB in memory (two runs of 40 starts on a busy machine). This process (perl-base is on every Debian and Ubuntu) forks beside it.
 * Everything is in hexadecimal digits but numbers, and `-` stands for nothing.
 * In:  `ID SILENT INPUT FILE ARGUMENT…`, where SILENT is 1 when standard output is not wanted; `ID` to kill it; `-ID` to leave it behind: nothing
 * of it is read any more, and nothing told.
 * Out: `ID STATUS STDOUT STDERR`, where STATUS is -1 when a signal ended it.
 */
const SCRIPT = String.raw`
use strict;
my (%jobs, %left, $in); $in = ''; $| = 1;
# it ends when its parent does, not by what a terminal or systemd sends to all
$SIG{$_} = 'IGNORE' for qw(PIPE INT TERM HUP);
sub hex_of { defined $_[0] && length $_[0] ? unpack('H*', $_[0]) : '-' }
sub text_of { $_[0] eq '-' ? '' : pack('H*', $_[0]) }
sub launch {
  my ($id, $silent, $input, @command) = @_; @command = map { text_of($_) } @command;
  my $job = { id => $id, input => text_of($input), out => '', err => '' };
  pipe(my $or, my $ow) && pipe(my $er, my $ew) && pipe(my $ir, my $iw) or return print "$id -1 - " . hex_of("$!") . "\n";
  my $pid = fork();
  defined $pid or return print "$id -1 - " . hex_of("$command[0]: $!") . "\n";
  if (!$pid) {
    $input eq '-' ? open(STDIN, '<', '/dev/null') : open(STDIN, '<&', $ir);
    $silent ? open(STDOUT, '>', '/dev/null') : open(STDOUT, '>&', $ow);
    open(STDERR, '>&', $ew); $SIG{$_} = 'DEFAULT' for qw(PIPE INT TERM HUP);
    no warnings; exec { $command[0] } @command;
    syswrite(STDERR, "$command[0]: $!"); kill 'KILL', $$; sleep 9;
  }
  close $_ for $ow, $ew, $ir;
  $job->{pid} = $pid; $job->{or} = $or; $job->{er} = $er; $job->{iw} = $iw; $iw->blocking(0); $jobs{$id} = $job;
  feed($job);
}
sub feed {
  my ($job) = @_;
  while (length $job->{input}) {
    my $put = syswrite($job->{iw}, $job->{input});
    if (!defined $put) { return if $!{EAGAIN}; last }
    substr($job->{input}, 0, $put) = '';
  }
  close $job->{iw}; delete $job->{iw};
}
sub take {
  my ($job, $from, $to) = @_;
  sysread($job->{$from}, $job->{$to}, 65536, length $job->{$to}) and return;
  close $job->{$from}; delete $job->{$from};
  return if $job->{or} || $job->{er};
  waitpid($job->{pid}, 0); my $status = $? & 127 ? -1 : $? >> 8;
  delete $jobs{$job->{id}};
  print "$job->{id} $status ", hex_of($job->{out}), ' ', hex_of($job->{err}), "\n";
}
sub leave {
  my ($job) = @_;
  close $_ for grep { $_ } @$job{qw(or er iw)};
  $left{$job->{pid}} = 1; delete $jobs{$job->{id}};
}
use IO::Handle; use Errno;
while (1) {
  waitpid($_, 1) and delete $left{$_} for keys %left; # 1: WNOHANG
  my ($r, $w) = ('', ''); vec($r, 0, 1) = 1;
  for my $job (values %jobs) {
    for (qw(or er)) { vec($r, fileno $job->{$_}, 1) = 1 if $job->{$_} }
    vec($w, fileno $job->{iw}, 1) = 1 if $job->{iw};
  }
  select($r, $w, undef, undef) < 0 and next;
  for my $job (values %jobs) {
    feed($job) if $job->{iw} && vec($w, fileno $job->{iw}, 1);
    for (['or', 'out'], ['er', 'err']) { take($job, @$_) if $job->{$_->[0]} && vec($r, fileno $job->{$_->[0]}, 1) }
  }
  if (vec($r, 0, 1)) {
    sysread(STDIN, $in, 1048576, length $in) or exit 0;
    while ($in =~ s/^(.*)\n//) { my @ask = split / /, $1;
      if (@ask > 1) { launch(@ask); next }
      my $job = $jobs{abs $ask[0]} or next;
      $ask[0] < 0 ? leave($job) : kill 'KILL', $job->{pid};
    }
  }
}
`;

function hexOf(text: string): string {
  return text === '' ? '-' : Buffer.from(text).toString('hex');
}

function textOf(hex: string): string {
  return hex === '-' ? '' : Buffer.from(hex, 'hex').toString('utf8');
}

/** Programs of this machine, at most `width` at once, by a process that starts with the first of them, and again after its end. Without perl Node starts them itself. */
export function launcher(perl = 'perl', width: number = WORKING): Launcher {
  const slots = semaphore(width);
  const direct = systemExec(width);
  const waiting = new Map<number, (finished: Finished) => void>();
  let child: ChildProcessWithoutNullStreams | undefined;
  let missing = false;
  const byNode = (): boolean => missing;
  let last = 0;

  function started(): ChildProcessWithoutNullStreams | undefined {
    if (child) return child;
    const fresh = spawn(perl, ['-e', SCRIPT], { stdio: 'pipe', env: environment() });
    child = fresh;
    const gone = (why: string): void => {
      if (child !== fresh) return;
      child = undefined;
      for (const resolve of [...waiting.values()]) resolve({ status: -1, stdout: '', stderr: why });
    };
    fresh.on('error', ({ code }: NodeJS.ErrnoException) => {
      missing ||= code === 'ENOENT' || code === 'EACCES';
      gone(`${perl} could not be started: ${String(code)}`);
    });
    fresh.on('exit', () => {
      gone(`${perl}, which starts programs, ended`);
    });
    // of one that found no descriptors left there are no pipes, only the error to come
    if ((fresh.stdin as unknown) === undefined) return undefined;
    fresh.stdin.on('error', () => undefined); // its end says so
    fresh.stderr.resume();
    createInterface({ input: fresh.stdout }).on('line', (line) => {
      const [id = '', status = '', stdout = '-', stderr = '-'] = line.split(' ');
      waiting.get(Number(id))?.({ status: Number(status), stdout: textOf(stdout), stderr: textOf(stderr).trim() });
    });
    return fresh;
  }

  /** Only while something is waited for does it keep this process alive. */
  function hold(held: boolean): void {
    if (!child) return;
    const pipes = [child.stdin, child.stdout, child.stderr].filter((pipe) => pipe instanceof Socket);
    for (const one of [child, ...pipes]) {
      if (held) one.ref();
      else one.unref();
    }
  }

  function start(file: string, args: readonly string[], { input, silent, signal }: RunOptions): Promise<Finished> {
    return new Promise((resolve) => {
      const id = (last += 1);
      const finish = (finished: Finished): void => {
        waiting.delete(id);
        signal.removeEventListener('abort', abort);
        ended();
        if (waiting.size === 0) hold(false);
        resolve(finished);
      };
      const abort = (): void => {
        child?.stdin.write(`${String(id)}\n`);
      };
      if (signal.aborted) {
        resolve(ABORTED);
        return;
      }
      const ended = afterKill(signal, () => {
        child?.stdin.write(`-${String(id)}\n`);
        finish(LEFT);
      });
      waiting.set(id, finish);
      signal.addEventListener('abort', abort, { once: true });
      const words = [silent ? '1' : '0', input === undefined ? '-' : hexOf(input), ...[file, ...args].map(hexOf)];
      started()?.stdin.write(`${String(id)} ${words.join(' ')}\n`);
      hold(true);
    });
  }

  return {
    run: async (file, args, options) => {
      if (byNode()) return direct.run(file, args, options);
      const finished = await slots(() => start(file, args, options));
      return byNode() ? direct.run(file, args, options) : finished;
    },
    close: async () => {
      const ending = child;
      if (!ending) return;
      hold(true);
      ending.stdin.end();
      await once(ending, 'exit');
    },
  };
}
