import { stringify } from 'yaml';
import { InvalidArgumentError } from 'commander';
import type { Performance } from '../providers/host/benchmark/benchmark.ts';
import type { PowerFacts } from '../providers/host/inventory/power.ts';
import { counted } from '../reconciler/model/words.ts';
import { hostName } from './host-document.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';
import { tint } from './table.ts';

interface Options {
  readonly output: 'text' | 'json' | 'yaml';
  readonly seconds: number;
  readonly name?: string;
}

/** Runs that differ by more than this share of their median say little. */
const NOISY = 0.1;
/** And cores that do: processors of several kinds, or one that something else keeps busy. */
const UNLIKE = 0.15;

/** `plumb host bench`: what a core of this machine does, as the field of its Host document that weighs it. 0. */
export async function hostBenchCommand(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(benchVerb(io), argv);
  if (!parsed) return 0;
  const { output, seconds, name } = parsed.opts<Options>();
  const { measurePerformance, REFERENCE } = await import('../providers/host/benchmark/benchmark.ts');
  const { inventory } = await import('../providers/host/inventory/inventory.ts');
  const { hostname } = await import('node:os');
  io.err(`measuring for ${String(seconds)} s: leave the machine alone\n`);
  const found = await measurePerformance({ ms: seconds * 1000, signal: io.signal });
  const warnings = warningsOf(found, inventory().power);
  if (output === 'json') {
    io.out(`${JSON.stringify({ version: 1, ...found, reference: REFERENCE, warnings }, null, 2)}\n`);
    return 0;
  }
  const patch = benchPatch(found, name ?? hostName(hostname()));
  if (output === 'yaml') {
    io.out(patch);
    for (const warning of warnings) io.err(`warning: ${warning}\n`);
    return 0;
  }
  io.out(benchText(found, { reference: REFERENCE.machine, warnings, patch }, io));
  return 0;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < 1 || seconds > 60) throw new InvalidArgumentError('whole seconds, 1 to 60');
  return seconds;
}

/** The verb with its options, also for the help of `plumb host`. */
export function benchVerb(io: Io): ReturnType<typeof command> {
  return command(
    'host bench',
    'Measure what a core of this machine does, to weigh cores of unlike machines: fixed work, on one core at a time.',
    'plumb host bench\nplumb host bench --seconds 60\nplumb host bench -o yaml --name h1',
    io,
  )
    .addOption(outputOption('text', 'json', 'yaml'))
    .option('--seconds <seconds>', 'how long, 1 to 60', secondsOf, 10)
    .option('--name <name>', 'metadata.name of the Host document (default: the hostname)');
}

/** What makes the figure doubtful, each with what to do. */
export function warningsOf({ spread, cpus, kept }: Performance, power: PowerFacts): readonly string[] {
  const each = Object.values(cpus);
  const [least, most] = [Math.min(...each), Math.max(...each)];
  const { governors = [], preferences = [], bias = [] } = power;
  const saving = [
    ...governors.filter((name) => name === 'powersave' || name === 'conservative').map((name) => `governor ${name}`),
    ...preferences.filter((name) => name.endsWith('power')).map((name) => `energy preference ${name}`),
    ...bias.filter((value) => value > 8).map((value) => `energy bias ${String(value)}`),
  ];
  const percent = (share: number): string => `${String(Math.round(share * 100))} %`;
  return [
    ...(spread > NOISY
      ? [`runs differ by ${percent(spread)}: something else keeps the machine busy; try again with --seconds 60`]
      : []),
    ...(most > least * (1 + UNLIKE)
      ? [`cores differ, from ${String(least)} to ${String(most)}: their median counts for all`]
      : []),
    ...(saving.length > 0
      ? [`the machine saves power (${saving.join(', ')}): set it as it is to be (cpu of a Tuning), then measure again`]
      : []),
    ...(kept ? [] : ['nothing keeps the work on one core here (no taskset): the kernel may have moved it']),
  ];
}

/** What to merge into the Host document of a machine. */
export function benchPatch({ factor }: Performance, name: string): string {
  const document = { apiVersion: 'plumbline/v1', kind: 'Host', metadata: { name }, spec: { performance: factor } };
  return `# made by plumb host bench; merge it into the Host document\n${stringify(document)}`;
}

/** The figure as a person reads it. */
export function benchText(
  { factor, integer, memory, runs, cpus }: Performance,
  more: { readonly reference: string; readonly warnings: readonly string[]; readonly patch: string },
  io: Pick<Io, 'color'>,
): string {
  const lines = [
    tint(io, 'bold', `performance ${String(factor)}`),
    `  integer ${String(integer)}, memory ${String(memory)}: median of ${counted(runs, 'run')} on ${counted(Object.keys(cpus).length, 'core')}, one at a time`,
    `  1 is a core of: ${more.reference}`,
    ...more.warnings.map((warning) => `${tint(io, 'yellow', 'warning:')} ${warning}`),
    '',
    more.patch.trimEnd(),
  ];
  return `${lines.join('\n')}\n`;
}
