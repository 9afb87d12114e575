/** How an engine turns cpu shares into a cgroup v2 weight. */
export type WeightFormula = 'linear' | 'quadratic' | 'systemd';

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/**
 * The cpu.weight (1..10000) of cpu shares (2..262144). `linear`: runc up to 1.3.1, crun before 1.23. `quadratic`: runc from
 * 1.3.2, crun from 1.23; it maps 1024 to 100 (opencontainers/cgroups#20). `systemd`: its own CPUShares translation.
 */
export function weightOf(shares: number, formula: WeightFormula): number {
  const s = clamp(shares, 2, 262_144);
  if (formula === 'linear') return 1 + Math.floor(((s - 2) * 9999) / 262_142);
  if (formula === 'systemd') return clamp(Math.floor((s * 100) / 1024), 1, 10_000);
  if (s === 2) return 1;
  if (s === 262_144) return 10_000;
  const l = Math.log2(s);
  return clamp(Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34)), 1, 10_000);
}

/** The formulas by which the kernel's weight stands for these shares; none: it is another weight. */
export function formulasFor(shares: number, weight: number): readonly WeightFormula[] {
  return (['quadratic', 'linear', 'systemd'] as const).filter((formula) => weightOf(shares, formula) === weight);
}

/** Cpu shares that a weight stands for by the linear formula, for display: the formulas cannot be told apart from a weight alone. */
export function sharesOf(weight: number): number {
  return 2 + Math.round(((weight - 1) * 262_142) / 9999);
}

/** The io.weight (1..10000) of a block I/O weight (10..1000), as runc converts it. */
export function ioWeightOf(weight: number): number {
  return 1 + Math.floor(((clamp(weight, 10, 1000) - 10) * 9999) / 990);
}

/** The smallest block I/O weight that gives at least this io.weight. */
export function blockIoWeightOf(ioWeight: number): number {
  return clamp(10 + Math.ceil(((ioWeight - 1) * 990) / 9999), 10, 1000);
}

/** Whether the kernel's byte count is the wanted one, rounded down to whole pages as it does (4, 16 or 64 KiB each). */
export function sameBytes(want: number, have: number): boolean {
  return have === want || [4096, 16_384, 65_536].some((page) => Math.floor(want / page) * page === have);
}

/** Thousandths of a core that quota µs in each period µs are, to three decimals. */
export function quotaOf(quota: number, period: number): number {
  return Math.round((quota * 1e6) / period) / 1e3;
}

/** Whether a quota is the wanted one: systemd rounds up to 10 thousandths of a core (opencontainers/runc#4622). Undefined: none. */
export function sameQuota(want: number | undefined, have: number | undefined): boolean {
  return have === want || (want !== undefined && have === Math.ceil(want / 10) * 10);
}

/**
 * Quota and period in µs for thousandths of a core: the period there is, if the quota comes out whole and is at least the
 * kernel's 1 ms in it, else 100 ms, else 1 s.
 */
export function cfsOf(milli: number, period: number): { readonly quota: number; readonly period: number } {
  for (const each of [period, 100_000]) {
    const quota = (milli * each) / 1000;
    if (Number.isInteger(quota) && quota >= 1000) return { quota, period: each };
  }
  return { quota: milli * 1000, period: 1_000_000 };
}
