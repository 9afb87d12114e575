/**
 * Keeps what files of the machine said and waits. When its standard input ends, as it does however the process that holds it ends, it writes
 * back what is another by then, and ends with 0 once all has stayed so: where somebody wrote one again, for longer than they took for that, since what holds a knob pauses ever longer.
 * `node machine-guard.js FILE…`; says `held` once it knows all.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds from one look to the next. */
const PAUSE = 100;
/** All has stayed as it was for so long, milliseconds: at first, and after somebody else wrote, at least; and so many times as long as they had left it alone. */
const QUIET = 1000;
const CONTESTED = 3000;
const TIMES = 4;
/** A file that does not say what was written to it in so many looks never will. */
const STUCK = 30;
/** After so many milliseconds somebody else has it for good. */
const LONGEST = 900_000;

const before = process.argv.slice(2).map((path) => [path, readFileSync(path, 'latin1')] as const);

/** What is written so that a file says a text again: of a choice the word in brackets. */
const written = (text: string): string => /\[([^\]]+)\]/.exec(text)?.[1] ?? text;

/** How a file stands: as it was, brought back just now, or it cannot be brought back. */
function restore(path: string, text: string): 'quiet' | 'back' | 'stuck' {
  try {
    if (readFileSync(path, 'latin1') === text) return 'quiet';
    writeFileSync(path, written(text));
    return readFileSync(path, 'latin1') === text ? 'back' : 'stuck';
  } catch {
    return 'stuck';
  }
}

/** The files that do not come back. */
async function all(): Promise<readonly string[]> {
  const began = performance.now();
  const stuck = new Map<string, number>();
  /** When all were last brought back, and how long they had been left alone at the most before somebody wrote one again. */
  let since = began;
  let alone: number | undefined;
  for (;;) {
    const now = performance.now();
    const stands = before.map(([path, text]) => [path, restore(path, text)] as const);
    for (const [path, how] of stands) stuck.set(path, how === 'stuck' ? (stuck.get(path) ?? 0) + 1 : 0);
    const left = stands.filter(([, how]) => how !== 'quiet').map(([path]) => path);
    if (left.length > 0) {
      if (since > began && left.some((path) => stuck.get(path) === 0)) alone = Math.max(alone ?? 0, now - since);
      since = performance.now();
    } else if (now - since >= (alone === undefined ? QUIET : Math.max(CONTESTED, TIMES * alone))) return [];
    if (left.some((path) => (stuck.get(path) ?? 0) >= STUCK) || now - began > LONGEST) return left;
    await sleep(PAUSE);
  }
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.stdout.on('error', () => undefined);
process.stdin.on('end', () => {
  void all().then((left) => {
    if (left.length > 0) process.stderr.write(`does not come back: ${left.join(' ')}\n`);
    process.exit(left.length === 0 ? 0 : 1);
  });
});
process.stdin.resume();
process.stdout.write('held\n');
