import { selects } from './catalog.ts';
import type { Catalog, Hardware, HardwareSelector, HostSpec, Resource, TuningSpec } from './catalog.ts';
import { formatBytes } from './units.ts';

/** Whether a text is as a pattern says, in which `*` stands for anything. */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop() ?? '';
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** Kernel versions in order: `6.1.0-18-amd64` is less than `6.10`. Negative where the first is older. */
export function compareKernels(a: string, b: string): number {
  const numbers = (version: string): readonly number[] =>
    /^\d+(\.\d+)*/.exec(version)?.[0].split('.').map(Number) ?? [];
  const [one, other] = [numbers(a), numbers(b)];
  for (let at = 0; at < Math.max(one.length, other.length); at += 1) {
    const by = (one[at] ?? 0) - (other[at] ?? 0);
    if (by !== 0) return by;
  }
  return 0;
}

/** What a selector asks for that a machine has not, in words; undefined where it has all. */
function lacks(asked: HardwareSelector, has: Hardware): string | undefined {
  const { cpu, nic, disk, kernel, minMemory } = asked;
  const { cpu: own } = has;
  const word = (what: string, pattern: string | undefined, text = 'not told'): string | undefined =>
    pattern === undefined || fits(pattern, text) ? undefined : `${what} is ${text}, not ${pattern}`;
  const decimal = (value: number): string => String(value);
  const least = (
    what: string,
    min: number | undefined,
    count: number | undefined,
    text = decimal,
  ): string | undefined => {
    if (min === undefined || (count !== undefined && count >= min)) return undefined;
    return count === undefined ? `${what} is not told` : `${what}: ${text(count)}, less than ${text(min)}`;
  };
  // what is not told may be more as well as less
  const most = (what: string, max: number | undefined, count: number | undefined): string | undefined => {
    if (max === undefined || (count !== undefined && count <= max)) return undefined;
    return count === undefined ? `${what} is not told` : `${what}: ${String(count)}, more than ${String(max)}`;
  };
  const release = (version: string): boolean =>
    (kernel?.min === undefined || compareKernels(version, kernel.min) >= 0) &&
    (kernel?.below === undefined || compareKernels(version, kernel.below) < 0);
  const nics = has.nics.filter(
    ({ name, driver, vendor = '', model = '', speed = 0 }) =>
      fits(nic?.name ?? '*', name) &&
      fits(nic?.driver ?? '*', driver) &&
      fits(nic?.vendor ?? '*', vendor) &&
      fits(nic?.model ?? '*', model) &&
      speed >= (nic?.minSpeed ?? 0),
  );
  const disks = has.disks.filter(
    ({ rotational, model = '' }) => (disk?.rotational ?? rotational) === rotational && fits(disk?.model ?? '*', model),
  );
  return (
    word('cpu.vendor', cpu?.vendor, own.vendor) ??
    word('cpu.model', cpu?.model, own.model) ??
    least('cpu.cores', cpu?.minCores, own.cores) ??
    most('cpu.cores', cpu?.maxCores, own.cores) ??
    least('cpu.nodes', cpu?.minNodes, own.nodes) ??
    least('memory', minMemory, has.memory, formatBytes) ??
    (kernel && (has.kernel === undefined || !release(has.kernel))
      ? `kernel is ${has.kernel ?? 'not told'}`
      : undefined) ??
    (nic && nics.length === 0 ? 'none of its NICs is as nic says' : undefined) ??
    (disk && disks.length === 0 ? 'none of its disks is as disk says' : undefined)
  );
}

/** Why a Tuning does not concern a host, in words; undefined where it does. The Zone is the host's, absent if it is in none. */
export function passesBy(
  { hosts, zone, hardware }: TuningSpec,
  host: Resource<HostSpec>,
  zoneOfHost: string | undefined,
): string | undefined {
  if (!selects(hosts, host.labels)) return 'spec.hosts selects other labels';
  if (zone !== undefined && zone !== zoneOfHost) return `spec.zone is ${zone}, and it is in ${zoneOfHost ?? 'none'}`;
  if (hardware === undefined) return undefined;
  if (host.spec.hardware === undefined) return 'spec.hardware is asked for, and its Host document has none';
  const why = lacks(hardware, host.spec.hardware);
  return why === undefined ? undefined : `spec.hardware: ${why}`;
}

/** The Tunings that concern a host, that of the highest priority first; of one priority by name. */
export function tuningsOf(
  tunings: Iterable<Resource<TuningSpec>>,
  host: Resource<HostSpec>,
  zone: string | undefined,
): readonly Resource<TuningSpec>[] {
  return [...tunings]
    .filter(({ spec }) => passesBy(spec, host, zone) === undefined)
    .sort((a, b) => b.spec.priority - a.spec.priority || (a.name < b.name ? -1 : 1));
}

/** The Zone whose selector matches a host; undefined for none. */
export function zoneOf(zones: Catalog['zones'], { labels }: Pick<Resource<HostSpec>, 'labels'>): string | undefined {
  for (const { name, spec } of zones.values()) if (selects(spec.hosts, labels)) return name;
  return undefined;
}
