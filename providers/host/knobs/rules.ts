import { formatCpus, parseCpus } from '../../../reconciler/model/cores.ts';
import type { KnobPlace } from '../../../reconciler/model/resources.ts';
import { chosen } from '../inventory/devices.ts';
import { CARD_KNOBS } from './settings.ts';
import { maskOf, maskOfList, plainMask } from './masks.ts';

/** What a value means for the files of a knob: pure. */
export interface Meaning {
  /** What one of them is to say, as `shown` gives it. `free` are the CPUs that nobody has for himself, as a list. */
  readonly target: (value: string, place: KnobPlace, at: number, free: string) => string;
  /** What a file says, in a form that can be compared. */
  readonly shown: (text: string) => string;
  /** What has to be written so that a file says a text again; the text itself where absent. */
  readonly back?: (text: string) => string;
}

const trimmed = (text: string): string => text.trim();
const same: Meaning = { target: (value) => value, shown: trimmed };
/** The word in brackets is the one in use. */
const choice: Meaning = {
  target: (value) => value,
  shown: (text) => chosen(text.trim()),
  back: (text) => chosen(text.trim()),
};

function one(free: string, at: number): readonly number[] {
  const cpus = parseCpus(free);
  const cpu = cpus[at % cpus.length];
  return cpu === undefined ? [] : [cpu];
}

/** `shared` is all that nobody has for himself, else the list of CPUs. */
const mask: Meaning = {
  target: (value, _place, _at, free) => plainMask(maskOfList(value === 'shared' ? free : value)),
  shown: plainMask,
};

/** `max` is the most that the card has. */
const most: Meaning = {
  target: (value, { max }) => (value === 'max' && max !== undefined ? String(max) : value),
  shown: trimmed,
};

/** What the value of each knob means, by the part of its key before a bracket. */
export const MEANINGS: Readonly<Record<string, Meaning>> = {
  'cpu.governor': same,
  'cpu.energyBias': same,
  'cpu.energyPreference': same,
  // of each idle state it is known how long it takes to leave it
  'cpu.maxIdleLatency': { target: (value, { about = 0 }) => (about > Number(value) ? '1' : '0'), shown: trimmed },
  'cpu.workqueue': mask,
  'memory.hugepages': choice,
  'memory.hugepageDefrag': choice,
  'disk.rotating.scheduler': choice,
  'disk.rotating.readAhead': same,
  'disk.rotating.queueDepth': same,
  'disk.solid.scheduler': choice,
  'disk.solid.readAhead': same,
  'disk.solid.queueDepth': same,
  'nic.mtu': same,
  'nic.txQueueLength': same,
  'nic.receiveFlows': same,
  ...Object.fromEntries(CARD_KNOBS.map(({ key }) => [key, most])),
  // an interrupt of each queue on a CPU of its own, as far as they go
  'nic.interrupts': {
    target: (_value, _place, at, free) => formatCpus(one(free, at)),
    shown: (text) => formatCpus(parseCpus(text)),
  },
  'nic.receiveSteering': {
    target: (value, _place, _at, free) => (value === 'spread' ? plainMask(maskOfList(free)) : '0'),
    shown: plainMask,
  },
  'nic.transmitSteering': {
    target: (value, _place, at, free) => (value === 'spread' ? plainMask(maskOf(one(free, at))) : '0'),
    shown: plainMask,
  },
};

/** What the value of a knob means; undefined for a key that is none. */
export function meaningOf(key: string): Meaning | undefined {
  return MEANINGS[key.replace(/\[.*$/, '')];
}
