import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import type { Resources } from '../../reconciler/model/catalog.ts';
import type { CgroupState } from '../../reconciler/model/resources.ts';
import { drift } from './diff.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';

/** Sets properties of a unit until it ends. Rejects with systemd's words. */
export type TellSystemd = (unit: string, properties: readonly string[], signal: AbortSignal) => Promise<void>;

/** The scope that a v2 cgroup is; undefined where no systemd holds it. */
export function scopeOf(directory: string): string | undefined {
  const name = basename(directory);
  return name.endsWith('.scope') ? name : undefined;
}

/**
 * What systemd has to be told of limits that were moved, because no engine tells it: that there is no swap (opencontainers/cgroups#74)
 * and no reservation. At a daemon-reload systemd 252 writes what it knows into all cgroups, and would allow any swap; 257 does not.
 */
export function untold(want: Resources, have: CgroupState): readonly string[] {
  const moved = new Set(drift(want, have).map(({ path }) => path));
  return [
    ...(moved.has('/swap') && want.swap === 0 ? ['MemorySwapMax=0'] : []),
    ...(moved.has('/reservation') && want.reservation === undefined ? ['MemoryLow=0'] : []),
  ];
}

/** Tells the systemd of this machine. */
export const tellSystemd: TellSystemd = (unit, properties, signal) =>
  new Promise((resolve, reject) => {
    const args = ['--no-ask-password', 'set-property', '--runtime', unit, ...properties];
    execFile('systemctl', args, { signal, timeout: 10_000 }, (error, _stdout, stderr) => {
      if (error)
        reject(new PlumbError('KNOB_REFUSED', `systemctl: ${stderr.trim() || error.message}`, { unit }, error));
      else resolve();
    });
  });
