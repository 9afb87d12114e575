import type { Command } from 'commander';
import type { Behaviour } from '../reconciler/loop/rehearsal/stage.ts';
import { PlumbError } from '../reconciler/model/errors.ts';
import type { HostFacts } from '../reconciler/model/replica.ts';
import { parseBytes, parseCpu, parseDuration } from '../reconciler/model/units.ts';
import { wholeNumber } from './options.ts';

/** Options of many simulated hosts. */
export interface RehearsalFlags {
  readonly name?: string;
  readonly latency?: string;
  readonly failures?: string;
  readonly silent?: string;
  readonly silence?: string;
  readonly capacity?: string;
  readonly seed?: string;
  readonly every?: string;
}

const DEFAULTS: Readonly<Record<keyof RehearsalFlags, string>> = {
  name: 'sim-{0000}',
  latency: '200ms..2s',
  failures: '0%',
  silent: '0%',
  silence: '10s..40s',
  capacity: '64,256Gi',
  seed: '1',
  every: '10s',
};

/** Adds `--simulated`, and what goes with a number of hosts. */
export function rehearsalOptions(cmd: Command): void {
  cmd.option(
    '--simulated [hosts]',
    'run nothing: containers, ports and cgroups are files in the state directory; with a number: play so many hosts, which keep nothing',
  );
  const option = (flag: keyof RehearsalFlags, value: string, text: string): void => {
    const made = cmd.createOption(`--${flag} <${value}>`, `${text} (default: ${DEFAULTS[flag]})`);
    cmd.addOption(made.helpGroup('With a number of simulated hosts:'));
  };
  option('name', 'pattern', 'their names; the zeros are counted up');
  option('latency', 'range', 'how long it takes until a replica serves');
  option('failures', 'share', 'share of the starts that end a few times before one holds');
  option('silent', 'share', 'share of the hosts that fall silent in each minute');
  option('silence', 'range', 'how long they are silent');
  option('capacity', 'size', 'cores (of one NUMA node) and memory of each, where its Host document says nothing');
  option('seed', 'number', 'the same seed makes the same starts fail');
  option('every', 'duration', 'how often a summary is printed');
}

/** Throws USAGE when an option was given that only many simulated hosts know. */
export function refuseRehearsal(flags: RehearsalFlags): void {
  const given = Object.keys(DEFAULTS).find((flag) => flags[flag as keyof RehearsalFlags] !== undefined);
  if (given !== undefined)
    throw new PlumbError('USAGE', `--${given} is for a rehearsal: say of how many hosts, as --simulated 100`);
}

/** So many names by a pattern: `sim-{0000}` counts from sim-0000 up. Throws USAGE. */
function namesBy(pattern: string, hosts: number): readonly string[] {
  const [, before = '', zeros = '', after = ''] = /^([^{}]*)\{(0+)\}([^{}]*)$/.exec(pattern) ?? [];
  if (zeros === '' || !/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(`${before}0${after}`))
    throw new PlumbError(
      'USAGE',
      `--name takes small letters, digits, hyphens and one {0000}, as sim-{0000}, not ${pattern}`,
    );
  return Array.from({ length: hosts }, (_, at) => `${before}${String(at).padStart(zeros.length, '0')}${after}`);
}

function usage(flag: keyof RehearsalFlags, example: string, text: string): PlumbError {
  return new PlumbError('USAGE', `--${flag} takes ${example}, not ${text}`);
}

function shareOf(flag: keyof RehearsalFlags, text: string): number {
  const share = /^\d+(\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : Number.NaN;
  if (share >= 0 && share <= 1) return share;
  throw usage(flag, 'a share from 0% to 100%, as 1%', text);
}

function durationOf(flag: keyof RehearsalFlags, example: string, text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw usage(flag, example, text);
  }
}

function rangeOf(flag: keyof RehearsalFlags, text: string): readonly [number, number] {
  const [least = '', most = least, ...more] = text.split('..');
  const [from, to] = [least, most].map((each) => durationOf(flag, 'a duration or two, as 200ms..2s', each));
  if (more.length === 0 && from !== undefined && to !== undefined && from <= to) return [from, to];
  throw usage(flag, 'the shorter duration first, as 200ms..2s', text);
}

function capacityOf(text: string): HostFacts['capacity'] {
  const [cpu = '', memory = '', ...more] = text.split(',');
  try {
    const node0 = Math.floor(parseCpu(cpu) / 1000);
    const capacity = { cpu: parseCpu(cpu), memory: parseBytes(memory), pids: 32_768, node0 };
    if (more.length === 0 && capacity.cpu > 0 && capacity.memory > 0) return capacity;
  } catch {
    // told below
  }
  throw usage('capacity', 'cores and memory, as 64,256Gi', text);
}

/** What the options of a rehearsal say. */
export interface Rehearsed {
  readonly hosts: readonly string[];
  readonly behaviour: Behaviour;
  readonly capacity: HostFacts['capacity'];
  /** Milliseconds. */
  readonly every: number;
}

/** Reads them, for so many hosts. Throws USAGE naming the option. */
export function rehearsalOf(hosts: string, flags: RehearsalFlags): Rehearsed {
  const said = { ...DEFAULTS, ...flags };
  return {
    hosts: namesBy(said.name, wholeNumber('--simulated', hosts, 1)),
    behaviour: {
      latency: rangeOf('latency', said.latency),
      failures: shareOf('failures', said.failures),
      silent: shareOf('silent', said.silent),
      silence: rangeOf('silence', said.silence),
      seed: wholeNumber('--seed', said.seed, 0),
    },
    capacity: capacityOf(said.capacity),
    every: durationOf('every', 'a duration, as 10s', said.every),
  };
}
