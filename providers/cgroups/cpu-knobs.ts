import { cfsOf, formulasFor, quotaOf, sameQuota, sharesOf, weightOf } from './conversion.ts';
import { SCHED, switchKnob, type Knob, type Raw, type Wanted, type Write } from './knob.ts';
import { isRealtime, USUAL_CLASS } from './scheduling.ts';

/** Whether what is in it runs only when nobody else wants to. */
export const IDLE = 'cpu.idle';

const idle: readonly Knob[] = [switchKnob('idle', 'cpu', IDLE)];

/** Whether the kernel leaves the weight alone: a cgroup that is idle has none, and is refused one. */
const isIdle = (raw: Raw): boolean => raw[IDLE] === '1';

/** Shares or a weight in one file. */
function sharesKnob(
  file: string,
  how: { readonly same: (shares: number, have: number) => boolean; readonly decode: (have: number) => number },
  encode: Knob['encode'],
): Knob {
  return {
    field: 'shares',
    controller: 'cpu',
    files: [file],
    decode: (raw) => (isIdle(raw) ? undefined : how.decode(Number(raw[file]))),
    accepts: (want, raw) => {
      if (want.idle === true && raw[IDLE] !== undefined) return true;
      return !isIdle(raw) && how.same(want.shares, Number(raw[file]));
    },
    encode,
  };
}

const shares: readonly Knob[] = [
  sharesKnob(
    'cpu.shares',
    { same: (want, have) => have === Math.min(Math.max(want, 2), 262_144), decode: (have) => have },
    (want) => [{ file: 'cpu.shares', value: String(want.shares) }],
  ),
  sharesKnob(
    'cpu.weight',
    { same: (want, have) => formulasFor(want, have).length > 0, decode: sharesOf },
    (want, _raw, formula) => [{ file: 'cpu.weight', value: String(weightOf(want.shares, formula)) }],
  ),
];

/** Where one generation of the kernel keeps a quota: µs in each period of µs, and µs that may be saved up beside it. */
interface Cfs {
  readonly files: readonly string[];
  readonly burst: string;
  /** The quota is undefined where there is none. */
  read(raw: Raw): { readonly quota: number | undefined; readonly period: number };
  write(quota: number | undefined, period: number, before: number): readonly Write[];
}

const V1: Cfs = {
  files: ['cpu.cfs_quota_us', 'cpu.cfs_period_us'],
  burst: 'cpu.cfs_burst_us',
  read: (raw) => {
    const quota = Number(raw['cpu.cfs_quota_us']);
    return { quota: quota < 0 ? undefined : quota, period: Number(raw['cpu.cfs_period_us']) };
  },
  write: (quota, period, before) => {
    const amount = { file: 'cpu.cfs_quota_us', value: String(quota ?? -1) };
    if (period === before) return [amount];
    const each = { file: 'cpu.cfs_period_us', value: String(period) };
    // the share in between must not be above both ends: a limited parent would refuse it
    return period > before ? [each, amount] : [amount, each];
  },
};

const V2: Cfs = {
  files: ['cpu.max'],
  burst: 'cpu.max.burst',
  read: (raw) => {
    const [quota, period] = (raw['cpu.max'] ?? '').split(' ');
    return { quota: quota === 'max' ? undefined : Number(quota), period: Number(period) };
  },
  write: (quota, period) => [{ file: 'cpu.max', value: `${String(quota ?? 'max')} ${String(period)}` }],
};

/** The µs of a burst in a period. */
const burstIn = ({ burst = 0 }: Wanted, period: number): number => Math.floor((burst * period) / 1000);

function acceptsQuota(cfs: Cfs, want: Wanted, raw: Raw): boolean {
  const { quota, period } = cfs.read(raw);
  return sameQuota(want.quota, quota === undefined ? undefined : quotaOf(quota, period));
}

/** The writes of a quota and of the burst that goes with it. The kernel refuses a quota below the burst, at each step. */
function quotaWrites(cfs: Cfs, want: Wanted, raw: Raw): readonly Write[] {
  const { period: before } = cfs.read(raw);
  const { quota, period } = want.quota === undefined ? { quota: undefined, period: before } : cfsOf(want.quota, before);
  const writes = cfs.write(quota, period, before);
  const had = raw[cfs.burst];
  if (had === undefined) return writes;
  const burst = String(burstIn(want, period));
  const inTheWay = Number(had) > (quota ?? Infinity);
  return [
    ...(inTheWay ? [{ file: cfs.burst, value: '0' }] : []),
    ...writes,
    ...((inTheWay ? '0' : had) === burst ? [] : [{ file: cfs.burst, value: burst }]),
  ];
}

function quotaKnob(cfs: Cfs): Knob {
  return {
    field: 'quota',
    controller: 'cpu',
    files: cfs.files,
    decode: (raw) => {
      const { quota, period } = cfs.read(raw);
      return quota === undefined ? undefined : quotaOf(quota, period);
    },
    accepts: (want, raw) => acceptsQuota(cfs, want, raw),
    encode: (want, raw) => quotaWrites(cfs, want, raw),
  };
}

function burstKnob(cfs: Cfs): Knob {
  const had = (raw: Raw): number => Number(raw[cfs.burst]);
  return {
    field: 'burst',
    controller: 'cpu',
    files: [cfs.burst, ...cfs.files],
    decode: (raw) => (had(raw) === 0 ? undefined : quotaOf(had(raw), cfs.read(raw).period)),
    accepts: (want, raw) => had(raw) === burstIn(want, cfs.read(raw).period),
    // a quota that is written as well brings its burst
    encode: (want, raw) =>
      acceptsQuota(cfs, want, raw) ? [{ file: cfs.burst, value: String(burstIn(want, cfs.read(raw).period)) }] : [],
  };
}

/** v1, where the kernel has it: µs in each period of µs for what runs before all others. */
export const REALTIME = 'cpu.rt_runtime_us';
const REALTIME_PERIOD = 'cpu.rt_period_us';

/** µs of a period that a cgroup is to have for threads of rr and fifo. */
function budgetOf({ scheduling, realtime = 0 }: Wanted, raw: Raw): number {
  return isRealtime(scheduling) ? Math.floor((realtime * Number(raw[REALTIME_PERIOD])) / 1000) : 0;
}

const classWrite = ({ scheduling }: Wanted): Write => ({ file: SCHED, value: scheduling ?? USUAL_CLASS });
const hasClass = (want: Wanted, raw: Raw): boolean => raw[SCHED] === classWrite(want).value;

/** The class of all threads; where the kernel has a budget for rr and fifo it comes before them, and goes after them. */
const scheduling: readonly Knob[] = [
  {
    field: 'scheduling',
    controller: 'cpu',
    files: [SCHED, REALTIME, REALTIME_PERIOD],
    decode: (raw) => (raw[SCHED] === USUAL_CLASS ? undefined : raw[SCHED]),
    accepts: (want, raw) => hasClass(want, raw) && Number(raw[REALTIME]) === budgetOf(want, raw),
    encode: (want, raw) => {
      const budget = { file: REALTIME, value: String(budgetOf(want, raw)) };
      const both = isRealtime(want.scheduling) ? [budget, classWrite(want)] : [classWrite(want), budget];
      return both.filter(({ file, value }) => raw[file] !== value);
    },
  },
  {
    field: 'scheduling',
    controller: 'cpu',
    files: [SCHED],
    decode: (raw) => (raw[SCHED] === USUAL_CLASS ? undefined : raw[SCHED]),
    accepts: hasClass,
    encode: (want) => [classWrite(want)],
  },
];

/** What a cgroup may have of the CPUs, in the order in which it is written. */
export const CPU_KNOBS: readonly Knob[] = [
  ...idle,
  ...shares,
  quotaKnob(V1),
  quotaKnob(V2),
  burstKnob(V1),
  burstKnob(V2),
  ...scheduling,
];
