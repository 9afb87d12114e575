const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

function scaled(text: string, units: Readonly<Record<string, number>>): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$/.exec(text);
  const unit = units[match?.[2] ?? '?'];
  if (!match || unit === undefined) throw new RangeError(`not a quantity: ${text}`);
  return Math.round(Number(match[1]) * unit);
}

/** CPU as a manifest writes it (`2`, `0.5`, `500m`) in thousandths of a core. Throws RangeError. */
export function parseCpu(value: string | number): number {
  return typeof value === 'string' && value.endsWith('m')
    ? scaled(value.slice(0, -1), BYTES)
    : Math.round(Number(value) * 1000);
}

/** Bytes as a manifest writes them (`512Mi`, `1G`, `4096`) as a number. Throws RangeError. */
export function parseBytes(value: string | number): number {
  return typeof value === 'number' ? value : scaled(value, BYTES);
}

/** A rate as a manifest writes it (`100M`) in bits a second. Throws RangeError. */
export function parseRate(value: string | number): number {
  return typeof value === 'number' ? value : scaled(value, BYTES);
}

/** A duration as a manifest writes it (`30s`) in milliseconds. Throws RangeError. */
export function parseDuration(value: string): number {
  return scaled(value, DURATIONS);
}

/** Milliseconds as a person reads them: the largest unit that divides them exactly. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = DURATIONS[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${String(ms / size)}${unit}`;
  }
  return `${String(ms)}ms`;
}

/** Bytes as a person reads them: the largest binary unit that divides them exactly. */
export function formatBytes(bytes: number): string {
  for (const unit of ['Ti', 'Gi', 'Mi', 'Ki']) {
    const size = BYTES[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${String(bytes / size)}${unit}`;
  }
  return String(bytes);
}

/** Bits a second as a manifest may write them: the largest unit that divides them exactly. */
export function formatRate(bits: number): string {
  for (const unit of ['T', 'G', 'M', 'k']) {
    const size = BYTES[unit] ?? 1;
    if (bits >= size && bits % size === 0) return `${String(bits / size)}${unit}`;
  }
  return String(bits);
}

/** Thousandths of a core as a person reads them: `2`, `500m`. */
export function formatCpu(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${String(milli)}m`;
}
