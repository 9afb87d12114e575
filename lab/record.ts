import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DRAFT, replaceFileSync } from '../disk/replace.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import { startTime } from './process.ts';
import type { Topology } from './topology.ts';

/** lab.json: the topology, and while `up` is at work, which process that is. */
export interface LabRecord {
  readonly topology: Topology;
  readonly starting?: { readonly pid: number; readonly started: number };
}

const FILE = 'lab.json';

/** Writes the record whole or not at all. */
export function writeRecord(record: LabRecord): void {
  const text = `${JSON.stringify(record, null, 2)}\n`;
  replaceFileSync(join(record.topology.dir, FILE), text, { durable: false, mode: 0o666 });
}

function isRecord(value: unknown, dir: string): value is LabRecord {
  if (typeof value !== 'object' || value === null || !('topology' in value)) return false;
  const { topology } = value;
  if (typeof topology !== 'object' || topology === null) return false;
  const { version, dir: place, name, racks, hosts } = topology as Partial<Record<string, unknown>>;
  return version === 1 && place === dir && typeof name === 'string' && Array.isArray(racks) && Array.isArray(hosts);
}

/** The record of the lab in `dir`; undefined where there is none. Throws LAB_FAILED for a file that is not ours. */
export function readRecord(dir: string): LabRecord | undefined {
  const path = join(dir, FILE);
  if (!existsSync(path)) return undefined;
  const record = parse(readFileSync(path, 'utf8'));
  if (isRecord(record, dir)) return record;
  throw new PlumbError(
    'LAB_FAILED',
    `${path} is not the record of a lab in ${dir}: remove the directory by hand if it is yours`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The other process that is building this lab now, if it lives. */
export function builder(record: LabRecord | undefined): number | undefined {
  const { pid, started } = record?.starting ?? { pid: 0, started: 0 };
  return pid > 0 && pid !== process.pid && startTime(pid) === started ? pid : undefined;
}

/** Removes a lab's directory. Throws LAB_FAILED when it holds something else, or something is mounted below it. */
export function removeLabDir(dir: string, recorded: boolean): void {
  if (!existsSync(dir)) return;
  const foreign = recorded ? [] : readdirSync(dir).filter((name) => !name.startsWith(FILE) || !name.endsWith(DRAFT));
  if (foreign.length > 0)
    throw new PlumbError('LAB_FAILED', `${dir} is not a lab: it holds ${foreign.slice(0, 3).join(', ')}`);
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => (line.split(' ')[4] ?? '').startsWith(`${dir}/`));
  if (mounted !== undefined)
    throw new PlumbError('LAB_FAILED', `${mounted.split(' ')[4] ?? dir} is mounted: unmount it, then run down again`);
  // the record goes last, so that an interrupted removal is known for one
  for (const name of readdirSync(dir))
    if (name !== FILE) rmSync(join(dir, name), { recursive: true, force: true, maxRetries: 5 });
  rmSync(dir, { recursive: true, force: true });
}
