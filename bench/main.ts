import { parseArgs } from 'node:util';
import { holds, machine } from './bench.ts';
import type { BenchOptions, BenchResult, Measure } from './bench.ts';

interface Bench {
  readonly summary: string;
  readonly load: () => Promise<{ readonly run: (options: BenchOptions) => Promise<BenchResult> }>;
}

/** All benches: `bench/NAME.ts` exports `run`. */
const BENCHES: Readonly<Record<string, Bench>> = {
  converge: {
    summary: '20 and 100 containers from nothing, against a hand-written script with the same daemon calls (≤ 1.25×)',
    load: () => import('./converge.ts'),
  },
  noop: {
    summary:
      'nothing to do at 100 containers and 60 knobs: a pass (≤ 1.5× a bare look), idle CPU (≤ 1 %) and memory over --seconds (600)',
    load: () => import('./noop.ts'),
  },
  drift: {
    summary:
      "from a hand's act to the repair, beside a bare watcher: a knob of every group (≤ +20 ms), a killed container (≤ +60 ms)",
    load: () => import('./drift.ts'),
  },
  noisy: {
    summary: 'a replica beside spinning neighbours, as a share of its rate alone: pinned (≥ 0.95), and not (≤ 0.95)',
    load: () => import('./noisy.ts'),
  },
  ansible: {
    summary: 'the same job by Ansible: cold, nothing to do, one change, side by side',
    load: () => import('./ansible.ts'),
  },
  validate: {
    summary: '5,000 App files: cold, with 10 changed, unchanged; and plumb --help',
    load: () => import('./validate.ts'),
  },
  placements: {
    summary:
      '150,000 replicas onto 6,000 hosts, committed to Redis with fsync always (≥ 10,000/s, ≥ 0.7× the bare commits)',
    load: () => import('./placements.ts'),
  },
  contention: {
    summary:
      'eight schedulers on one Redis at 97 % full: no host, address or hard spread given out twice, conflicts < 2 %',
    load: () => import('./contention.ts'),
  },
  'idle-fleet': {
    summary:
      'nothing to do at 600, 6,000 and 12,000 hosts: a tick (≤ 100 ms), an audit (≤ 3 s, 250 MB); and one change, from its commit to Git too (≤ 1 s); --hosts',
    load: () => import('./idle-fleet.ts'),
  },
  quality: {
    summary:
      'deviation from the share of each switch, rack and host, and waste of packing, beside samples of 13 and 300 hosts',
    load: () => import('./quality.ts'),
  },
  reports: {
    summary:
      'from an act on a host (a kill, a failing probe, a limit changed by hand) to what the store says of it (≤ 1 s)',
    load: () => import('./reports.ts'),
  },
  'simulated-fleet': {
    summary:
      '6,000 simulated hosts, one Redis, one controller: 20 changes a second (≥ 18 acknowledged), steady for --seconds (600); --hosts',
    load: () => import('./simulated-fleet.ts'),
  },
};

/** Options with a number, as `BenchOptions` has them. */
const NUMBERS = ['rounds', 'seconds', 'hosts'] as const;
const USAGE = 'usage: npm run bench -- NAME [--json] [--rounds N] [--seconds N] [--hosts N]';

function list(): string {
  const width = Math.max(...Object.keys(BENCHES).map((name) => name.length));
  const lines = Object.entries(BENCHES).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `${lines.join('\n')}\n\n${USAGE}\n`;
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function row(each: Measure): string {
  const { name, unit, median, p10, p90, samples, yardstick, ratio, limit, ratioLimit, least, ratioLeast } = each;
  const kept = holds(each);
  const promises = [
    ...(limit === undefined ? [] : [`≤ ${String(limit)} ${unit}`]),
    ...(least === undefined ? [] : [`≥ ${String(least)} ${unit}`]),
    ...(ratioLimit === undefined ? [] : [`≤ ${String(ratioLimit)}×`]),
    ...(ratioLeast === undefined ? [] : [`≥ ${String(ratioLeast)}×`]),
  ];
  return [
    `  ${name.padEnd(28)} ${number(median).padStart(8)} ${unit}  (${number(p10)}–${number(p90)}, ${String(samples)} rounds)`,
    ...(ratio === undefined ? [] : [`${ratio.toFixed(2)}× ${yardstick ?? ''}`]),
    ...(kept === undefined ? [] : [`${kept ? 'ok' : 'OVER'}: ${promises.join(', ')}`]),
  ].join('   ');
}

function text({ name, measures, notes = [] }: BenchResult): string {
  const on = Object.entries(machine()).map(([key, value]) => `${key} ${String(value)}`);
  return `${name}: median (p10–p90)\n${[...measures.map(row), ...notes.map((note) => `  ${note}`)].join('\n')}\n  ${on.join(', ')}\n`;
}

/** What the command line asks for. Throws what `parseArgs` throws, and for a number that is none. */
function read(argv: readonly string[]): { name: string | undefined; json: boolean; numbers: Record<string, number> } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      ...(Object.fromEntries(NUMBERS.map((option) => [option, { type: 'string' }])) as Record<
        (typeof NUMBERS)[number],
        { type: 'string' }
      >),
    },
  });
  if (positionals.length > 1) throw new Error(`one bench at a time, not ${positionals.join(' and ')}`);
  const numbers: Record<string, number> = {};
  for (const option of NUMBERS) {
    const value = values[option];
    if (value === undefined) continue;
    if (!/^[1-9]\d*$/.test(value)) throw new Error(`--${option} ${value}: a whole number from 1 is expected`);
    numbers[option] = Number(value);
  }
  return { name: values.help === true ? undefined : positionals[0], json: values.json === true, numbers };
}

/** `npm run bench [-- NAME [--json] [--rounds N]]`; 0 when all that is promised holds, 1 when not, 2 when asked for nonsense. */
export async function main(
  argv: readonly string[],
  out: (text: string) => void,
  err: (text: string) => void,
): Promise<number> {
  let asked: ReturnType<typeof read>;
  try {
    asked = read(argv);
  } catch (error) {
    err(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const { name, json, numbers } = asked;
  if (name === undefined) {
    out(list());
    return 0;
  }
  const bench = BENCHES[name];
  if (bench === undefined) {
    err(`no bench ${name}; there are:\n${list()}`);
    return 2;
  }
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  process.once('SIGINT', abort).once('SIGTERM', abort);
  const { run } = await bench.load();
  const result = await run({ signal: stop.signal, log: (line) => err(`${line}\n`), ...numbers });
  out(json ? `${JSON.stringify({ version: 1, machine: machine(), ...result }, null, 2)}\n` : text(result));
  return result.measures.every((each) => holds(each) !== false) ? 0 : 1;
}
