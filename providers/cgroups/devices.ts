import { join } from 'node:path';
import { readText, type Files } from './files.ts';

/** The block devices of a machine: a line each, `sda 8:0 disk`, or `loop0 7:0` for what is no disk. */
export interface Devices {
  /** Looks anew: disks come and go. */
  look(): void;
  /** As they were at the last look. */
  last(): string;
}

function lineOf(files: Files, directory: string, name: string): readonly string[] {
  try {
    const number = readText(files, join(directory, name), 'dev');
    return [files.exists(join(directory, name, 'device')) ? `${name} ${number} disk` : `${name} ${number}`];
  } catch {
    return []; // it is going
  }
}

/** Tells of whole devices: a partition cannot be limited. */
export function blockDevices(sysRoot: string, files: Files): Devices {
  const directory = join(sysRoot, 'block');
  let known: string | undefined;
  const look = (): string =>
    (known = files
      .entries(directory)
      .flatMap((name) => lineOf(files, directory, name))
      .join('\n'));
  return {
    look: () => void look(),
    last: () => known ?? look(),
  };
}
