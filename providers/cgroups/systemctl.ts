import { execFile } from 'node:child_process';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Systemd } from './systemd.ts';

/** The systemd of this machine, asked by systemctl. */
export const systemctl: Systemd = {
  show: async (units, properties, signal) => {
    const text = await run(['show', '--property', ['Id', ...properties].join(), '--', ...units], units, signal);
    return wordsOf(text);
  },
  set: async (unit, assignments, signal) => {
    await run(['--no-ask-password', 'set-property', '--runtime', '--', unit, ...assignments], [unit], signal);
  },
};

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

/** Bytes that it may print: a hundred thousand units fit. */
const MOST = 2 ** 26;

function run(args: readonly string[], units: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('systemctl', args, { signal, timeout: 10_000, maxBuffer: MOST }, (error, stdout, stderr) => {
      const words = stderr.trim();
      if (error)
        reject(
          new PlumbError('KNOB_REFUSED', `systemctl: ${words || error.message}`, { unit: units.join(' ') }, error),
        );
      else resolve(stdout);
    });
  });
}
