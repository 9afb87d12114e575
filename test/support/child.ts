import type { ChildProcess } from 'node:child_process';

/** Sends a child a signal, unless it has ended already, and waits for its end. Gives its exit status; null after a signal that it did not catch. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill(signal);
  return ended;
}
