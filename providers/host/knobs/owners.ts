import { nicNames } from '../inventory/devices.ts';
import type { Tree } from '../inventory/tree.ts';
import type { KeptKnob } from './kept.ts';
import type { Roots } from './places.ts';

/** What is kept of a file: `nic/eth0/rings/rx`, `sys/class/net/eth0/mtu`. */
const OF_CARD = /^((?:nic|sys\/class\/net)\/)([^/]+)(\/.*)$/;

/**
 * Of several cards in one place on the bus that say the same port: the name of all but the first, which is there before its representors
 * are. What else tells them apart (phys_port_name, phys_switch_id) is not read: the kernel has whoever reads it wait for what it changes of any card.
 */
function nameAmong(sys: Tree, name: string): string | undefined {
  const portOf = (card: string): string | undefined => sys.text(`class/net/${card}/dev_port`);
  const numberOf = (card: string): number => sys.number(`class/net/${card}/ifindex`) ?? 0;
  const port = portOf(name);
  const others = sys.names(`class/net/${name}/device/net`).filter((other) => other !== name && portOf(other) === port);
  return others.some((other) => numberOf(other) < numberOf(name)) ? name : undefined;
}

/** A card by what stays while its name may change, all of it from memory of the kernel: its place on the bus, the port there, who made it. */
function cardOf(sys: Tree, name: string): string | undefined {
  const at = `class/net/${name}`;
  const place = sys.target(`${at}/device`);
  if (place === undefined) return undefined;
  const said = ['dev_port', 'device/vendor', 'device/device'].map((file) => sys.text(`${at}/${file}`));
  return [place, ...said, nameAmong(sys, name)].filter((text) => text !== undefined).join(' ');
}

const interrupts = new WeakMap<Tree, ReadonlyMap<string, string>>();

/** What raises an interrupt: `IR-PCI-MSI 524288-edge`, `IR-PCI-MSIX-0000:41:00.0 3-edge`, `ITS-MSI 1572864 Edge`. */
const SOURCE = /^(\S+)\s+(\d+)[-\s]+(?:edge|level|fasteoi)\b/i;

/** What raises each number in /proc/interrupts: a place on the bus and the interrupt's number there, since its name may be that of a card; else its name. */
function interruptsOf(proc: Tree): ReadonlyMap<string, string> {
  const known = interrupts.get(proc);
  if (known) return known;
  const lines = (proc.text('interrupts') ?? '').matchAll(/^[^\S\n]*(\d+):(?:[^\S\n]+\d+)*[^\S\n]+(\S.*)$/gm);
  const sources = [...lines].map(([, number = '', rest = '']) => {
    const [, chip, at] = SOURCE.exec(rest) ?? [];
    const source = chip === undefined ? rest.split(/\s+/).at(-1) : `${chip} ${at ?? ''}`;
    return [number, source ?? ''] as const;
  });
  const all = new Map(sources);
  interrupts.set(proc, all);
  return all;
}

/** Which device a file is about at one look, where another one may come under its path; undefined where that is not known. */
export function ownerOf({ proc, sys }: Roots, id: string): string | undefined {
  const card = OF_CARD.exec(id)?.[2];
  if (card !== undefined) return cardOf(sys, card);
  const disk = /^sys\/block\/([^/]+)\//.exec(id)?.[1];
  if (disk !== undefined) return sys.text(`block/${disk}/diskseq`);
  const interrupt = /^proc\/irq\/(\d+)\//.exec(id)?.[1];
  return interrupt === undefined ? undefined : interruptsOf(proc).get(interrupt);
}

/**
 * What makes a file refuse, where another one says it: under the governor `performance` a policy takes no other energy preference, whoever asks
 * (EBUSY; Linux admin-guide/pm/intel_pstate).
 */
export function underOf({ sys }: Roots, id: string): string | undefined {
  const policy = /^sys\/(.+)\/energy_performance_preference$/.exec(id)?.[1];
  const governor = policy === undefined ? undefined : sys.text(`${policy}/scaling_governor`);
  return governor === 'performance' ? governor : undefined;
}

/** Where a setting of a card is that has another name by now. */
function renamed({ sys }: Roots, id: string, owner: string | undefined): string | undefined {
  const [, head = '', , tail = ''] = OF_CARD.exec(id) ?? [];
  if (head === '' || owner === undefined) return undefined;
  const card = nicNames(sys).find((name) => cardOf(sys, name) === owner);
  return card === undefined ? undefined : `${head}${card}${tail}`;
}

/** Where what was kept of a file is now; undefined where there is another device in its place. */
function placeNow(roots: Roots, kept: KeptKnob, id: string): string | undefined {
  const before = kept.owners?.[id];
  const now = ownerOf(roots, id);
  if (before === undefined || now === before) return id;
  return renamed(roots, id, before) ?? (now === undefined ? id : undefined);
}

/** What is kept of a knob, by the names that its cards have now, less what was of a device in whose place there is another. */
export function ofDevices(roots: Roots, kept: KeptKnob): KeptKnob {
  const entries = Object.entries(kept.originals).flatMap(([id, text]) => {
    const at = placeNow(roots, kept, id);
    return at === undefined ? [] : [[at, text] as const];
  });
  return { value: kept.value, originals: Object.fromEntries(entries) };
}

/** A knob to be kept, with the device that each of its files is about: of one that is away for now, what was known `before`. */
export function withOwners(roots: Roots, { value, originals }: KeptKnob, before: KeptKnob | undefined): KeptKnob {
  const owners = Object.keys(originals).flatMap((id) => {
    const owner = ownerOf(roots, id) ?? before?.owners?.[id];
    return owner === undefined ? [] : [[id, owner] as const];
  });
  return { value, originals, ...(owners.length === 0 ? {} : { owners: Object.fromEntries(owners) }) };
}
