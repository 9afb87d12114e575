import fs from 'node:fs';
import { replaceFileSync } from '../../disk/replace.ts';
import { asPlumbError, errnoOf, isDiskFull } from '../../reconciler/model/errors.ts';
import type { CoresState } from '../../reconciler/model/resources.ts';

/** Which CPUs were given to whom, kept over restarts of the process. */
export interface Given {
  /** Undefined where nothing is kept. A file that cannot be understood keeps nobody's: the kernel tells what they run on. */
  all(): CoresState['given'] | undefined;
  /** On disk when it returns. Throws DISK_FULL, STORE_UNAVAILABLE. */
  keep(given: CoresState['given']): void;
  forget(): void;
}

function parse(text: string): CoresState['given'] {
  try {
    const { version, given } = JSON.parse(text) as { readonly version?: unknown; readonly given?: unknown };
    if (version !== 1 || typeof given !== 'object' || given === null) return {};
    return Object.fromEntries(Object.entries(given).filter(([, cpus]) => /^[0-9]+([-,][0-9]+)*$/.test(String(cpus))));
  } catch {
    return {};
  }
}

/** Keeps it in the JSON file at the path: `{"version": 1, "given": {REPLICA: CPUS}}`. */
export function givenIn(path: string): Given {
  let known: { readonly given: CoresState['given'] | undefined; readonly text: string } | undefined;
  const read = (): NonNullable<typeof known> => {
    if (known) return known;
    try {
      const text = fs.readFileSync(path, 'utf8');
      known = { given: parse(text), text };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw asPlumbError(error, 'STORE_UNAVAILABLE', path);
      known = { given: undefined, text: '' };
    }
    return known;
  };
  return {
    all: () => read().given,
    keep(given) {
      const text = `${JSON.stringify({ version: 1, given }, null, 2)}\n`;
      if (read().text === text) return;
      try {
        replaceFileSync(path, text);
      } catch (error) {
        const why = `${path}: which cores were given cannot be kept, so none were`;
        throw asPlumbError(error, isDiskFull(error) ? 'DISK_FULL' : 'STORE_UNAVAILABLE', why);
      }
      known = { given, text };
    },
    forget() {
      fs.rmSync(path, { force: true });
      known = { given: undefined, text: '' };
    },
  };
}
