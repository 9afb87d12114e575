import { PlumbError } from '../../reconciler/model/errors.ts';
import { semaphore } from '../../reconciler/model/semaphore.ts';
import { WORKING, type Exec } from '../exec/exec.ts';
import type { Systemd } from './systemd.ts';

/** The systemd of this machine, asked by systemctl. */
export function systemctl(exec: Exec): Systemd {
  const slots = semaphore(WIDTH);
  const run = (args: readonly string[], units: readonly string[], asked: AbortSignal): Promise<string> =>
    slots(async () => {
      const signal = AbortSignal.any([asked, AbortSignal.timeout(LIMIT)]);
      const { status, stdout, stderr } = await exec.run('systemctl', args, { signal });
      if (status === 0) return stdout;
      const words = stderr || (signal.aborted ? 'it was not done in time' : `it ended with ${String(status)}`);
      throw new PlumbError('KNOB_REFUSED', `systemctl: ${words}`, { unit: units.join(' ') });
    });
  return {
    show: async (units, properties, signal) => {
      const text = await run(['show', '--property', ['Id', ...properties].join(), '--', ...units], units, signal);
      return wordsOf(text);
    },
    set: async (unit, assignments, signal) => {
      await run(['--no-ask-password', 'set-property', '--runtime', '--', unit, ...assignments], [unit], signal);
    },
  };
}

/** What `systemctl show` printed: lines `PROPERTY=WORDS`, an empty line between two units. */
export function wordsOf(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const blocks = text.split('\n\n').map(
    (block) =>
      new Map(
        block.split('\n').flatMap((line) => {
          const at = line.indexOf('=');
          return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
        }),
      ),
  );
  return new Map(blocks.map((words) => [words.get('Id') ?? '', words]));
}

/** Milliseconds that a program is given. */
const LIMIT = 10_000;

/** Programs at once: where systemd hangs, others are to start still. */
const WIDTH = WORKING / 2;
