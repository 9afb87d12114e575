import type { Tuning } from '../../../schemas/types.ts';
import type { TuningSpec } from '../../model/catalog.ts';
import { RECLAIM_KEY, ruleText } from '../../model/memory.ts';
import { parseBytes } from '../../model/units.ts';
import { reclaimRule } from './reclaim.ts';
import { filled, type Say } from './say.ts';

type FileKnob = TuningSpec['knobs'][number];
type Card = NonNullable<Tuning['spec']['nics']>[number];

/** `[name=eth*,driver=ixgbe]` behind the key of a knob says of which cards; nothing behind it, of all. */
function bracketOf({ name, driver, vendor, model }: NonNullable<Card['match']>): string {
  const parts = Object.entries({ name, driver, vendor, model }).flatMap(([field, value]) =>
    value === undefined ? [] : [`${field}=${value}`],
  );
  return parts.length === 0 ? '' : `[${parts.join(',')}]`;
}

/** The members of a part of the manifest as knobs: the key is `prefix.member`. */
function knobsAt(prefix: string, pointer: string, members: object, bracket = ''): readonly FileKnob[] {
  return Object.entries(members).map(([name, value]) => ({
    key: `${prefix}.${name}${bracket}`,
    value: String(value),
    pointer: `${pointer}/${name}`,
  }));
}

/** When the host gives back slab is one knob; what is to be kept free is a kernel parameter. */
function memoryKnobs({ reclaim, minFree: _sysctl, ...rest }: NonNullable<Tuning['spec']['memory']>, say: Say) {
  const files = knobsAt('memory', '/spec/memory', rest);
  if (!reclaim) return files;
  const pointer = '/spec/memory/reclaim';
  const rule = reclaimRule(
    { above: reclaim.slab, window: filled(reclaim.window), coolDown: filled(reclaim.coolDown) },
    pointer,
    'slab',
    say,
  );
  return [...files, { key: RECLAIM_KEY, value: ruleText(rule), pointer: `${pointer}/slab` }];
}

const GROUPS = ['offloads', 'rings', 'channels', 'coalescing'] as const;

/** The knobs of an entry of cards: its own, and those of its groups as `nic.rings.rx`. */
function cardKnobs({ match = {}, ...card }: Card, pointer: string, say: Say): readonly FileKnob[] {
  const { offloads, rings, channels, coalescing, ...own } = card;
  const groups = { offloads, rings, channels, coalescing };
  const bracket = bracketOf(match);
  const { receiveFlows = 0 } = own;
  if ((receiveFlows & (receiveFlows - 1)) !== 0)
    say(
      `${pointer}/receiveFlows`,
      'BAD_VALUE',
      `${String(receiveFlows)} is not a power of two`,
      `as ${String(2 ** Math.ceil(Math.log2(receiveFlows)))}`,
    );
  return [
    ...knobsAt('nic', pointer, own, bracket),
    ...GROUPS.flatMap((group) => knobsAt(`nic.${group}`, `${pointer}/${group}`, groups[group] ?? {}, bracket)),
  ];
}

/** The knobs of a Tuning that are files of the host: processors, memory, disks and network cards. Read-ahead is in KiB, as the kernel has it. */
export function fileKnobs({ cpu = {}, memory = {}, disks = {}, nics }: Tuning['spec'], say: Say): readonly FileKnob[] {
  const ofDisks = (['rotating', 'solid'] as const).flatMap((kind) => {
    const { readAhead, ...rest } = disks[kind] ?? {};
    const pointer = `/spec/disks/${kind}`;
    if (readAhead === undefined) return knobsAt(`disk.${kind}`, pointer, rest);
    const bytes = parseBytes(readAhead);
    if (bytes % 1024 !== 0)
      say(`${pointer}/readAhead`, 'BAD_VALUE', `${String(readAhead)} is not in whole KiB`, 'as 512Ki');
    return knobsAt(`disk.${kind}`, pointer, { ...rest, readAhead: bytes / 1024 });
  });
  const ofCards = (nics ?? []).flatMap((card, at) => cardKnobs(card, `/spec/nics/${String(at)}`, say));
  const all = [...knobsAt('cpu', '/spec/cpu', cpu), ...memoryKnobs(memory, say), ...ofDisks, ...ofCards];
  const seen = new Set<string>();
  for (const { key, pointer } of all) {
    if (seen.has(key)) say(pointer, 'TUNING_CONFLICT', `"${key}" is set twice in this Tuning`, 'keep one');
    seen.add(key);
  }
  return all;
}
