/**
 * Keeps what files of the machine said and waits. When its standard input ends, as it does however the process that holds it ends, it writes
 * back what is another by then, and ends with 0 once all has stayed so for a moment. `node machine-guard.js FILE…`; says `held` once it knows all.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often it is looked again, and how long that is apart, milliseconds. */
const LOOKS = 30;
const PAUSE = 100;
/** So many looks in turn that find all as it was are enough. */
const QUIET = 5;

const before = process.argv.slice(2).map((path) => [path, readFileSync(path, 'latin1')] as const);

/** What is written so that a file says a text again: of a choice the word in brackets. */
const written = (text: string): string => /\[([^\]]+)\]/.exec(text)?.[1] ?? text;

/** The files that do not say what they said, after each was told to. */
function restore(): readonly string[] {
  return before.flatMap(([path, text]) => {
    try {
      if (readFileSync(path, 'latin1') === text) return [];
      writeFileSync(path, written(text));
    } catch {
      // it says so again later, or is told of
    }
    return [path];
  });
}

async function all(): Promise<readonly string[]> {
  let left: readonly string[] = [];
  for (let look = 0, quiet = 0; look < LOOKS && quiet < QUIET; look += 1) {
    left = restore();
    quiet = left.length === 0 ? quiet + 1 : 0;
    await sleep(PAUSE);
  }
  return left;
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
