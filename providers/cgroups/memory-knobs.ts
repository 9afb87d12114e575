import {
  bytesIn,
  bytesKnob,
  EMPTYING,
  OOM,
  SPARES_NOBODY,
  switchKnob,
  type Knob,
  type Raw,
  type Wanted,
} from './knob.ts';

/** v1: memory and swap in one number. */
export const MEMSW = 'memory.memsw.limit_in_bytes';
/** v1: memory. */
export const LIMIT = 'memory.limit_in_bytes';

const memory: readonly Knob[] = [
  bytesKnob('memory', LIMIT, (want) => want.memory),
  bytesKnob('memory', 'memory.max', (want) => want.memory),
];

/** v2: swap alone. */
export const SWAP = 'memory.swap.max';
const V2_SWAP = bytesKnob('swap', SWAP, (want) => want.swap);

const swap: readonly Knob[] = [
  {
    ...bytesKnob('swap', MEMSW, (want) => want.memory + want.swap),
    decode: (raw) => {
      const both = bytesIn(raw[MEMSW]);
      const limit = bytesIn(raw[LIMIT]);
      return both === undefined || limit === undefined ? undefined : both - limit;
    },
  },
  {
    ...V2_SWAP,
    // while it is being emptied nothing more may be swapped
    accepts: (want, raw) => raw[EMPTYING] !== undefined || V2_SWAP.accepts(want, raw),
  },
];

const reservation: readonly Knob[] = [
  bytesKnob('reservation', 'memory.soft_limit_in_bytes', (want) => want.reservation),
  bytesKnob('reservation', 'memory.low', (want) => want.reservation, '0'),
];

/** Only v2 has it. */
const high: readonly Knob[] = [bytesKnob('high', 'memory.high', (want) => want.high, 'max')];

export const SWAPPINESS = 'memory.swappiness';
/** A new cgroup takes it over from its parent. */
const INHERITED = `../${SWAPPINESS}`;

/** Only v1 has it for a cgroup. */
const swappiness: Knob = {
  field: 'swappiness',
  controller: 'memory',
  files: [SWAPPINESS, INHERITED],
  decode: (raw) => Number(raw[SWAPPINESS]),
  accepts: (want, raw) => raw[EMPTYING] !== undefined || raw[SWAPPINESS] === String(want.swappiness ?? raw[INHERITED]),
  encode: (want, raw) => [{ file: SWAPPINESS, value: String(want.swappiness ?? raw[INHERITED]) }],
};

/** Only v2 has it. */
const oomGroup: readonly Knob[] = [switchKnob('oomGroup', 'memory', 'memory.oom.group')];

/** Without the right to spare it, a process is ended no sooner than others. */
function scoreFor({ oomScoreAdj: score }: Wanted, raw: Raw): string | undefined {
  return score === undefined ? undefined : String(raw[SPARES_NOBODY] === undefined ? score : Math.max(0, score));
}

/** Of each process: how soon it is ended where the memory of the machine runs out. Without a wish it stays as it is. */
const oomScoreAdj: Knob = {
  field: 'oomScoreAdj',
  controller: 'memory',
  files: [OOM],
  decode: (raw) => Number(raw[OOM]),
  accepts: (want, raw) => (scoreFor(want, raw) ?? raw[OOM]) === raw[OOM],
  encode: (want, raw) => [{ file: OOM, value: scoreFor(want, raw) ?? '0' }],
};

function hugetlb(field: 'hugetlb2M' | 'hugetlb1G', size: string): readonly Knob[] {
  const wanted = (want: Wanted): number | undefined => want[field];
  return [
    bytesKnob(field, `hugetlb.${size}.limit_in_bytes`, wanted, '-1', 'hugetlb'),
    bytesKnob(field, `hugetlb.${size}.max`, wanted, 'max', 'hugetlb'),
  ];
}

/** What a cgroup may have of the memory, in the order in which it is written. */
export const MEMORY_KNOBS: readonly Knob[] = [
  ...memory,
  ...swap,
  ...reservation,
  ...high,
  swappiness,
  ...oomGroup,
  oomScoreAdj,
  ...hugetlb('hugetlb2M', '2MB'),
  ...hugetlb('hugetlb1G', '1GB'),
];
