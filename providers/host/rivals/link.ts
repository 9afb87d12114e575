import type { Tree } from '../inventory/tree.ts';
import { maskOfList } from '../knobs/masks.ts';
import { APPEARS, filesWithMore, folders, matches, ofEach, readOnce, type BootSetting, type Line } from './lines.ts';

type Reading = (text: string) => string | undefined;

const count: Reading = (text) => (/^(\d+|max)$/.test(text) ? text : undefined);
const onOff: Reading = (text) =>
  /^(1|yes|y|true|t|on)$/i.test(text) ? 'on' : /^(0|no|n|false|f|off)$/i.test(text) ? 'off' : undefined;

const UNITS: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1000, s: 1_000_000, sec: 1_000_000, '': 1_000_000 };
/** systemd.time(7), as far as anybody writes it here: `30us`, `1ms`, seconds without a unit. */
const microseconds: Reading = (text) => {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-zµ]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return number === '' || factor === undefined ? undefined : String(Math.round(Number(number) * factor));
};
/** `9000`, `9K`. */
export const bytes: Reading = (text) => {
  const [, number = '', unit = ''] = /^(\d+)([KMG]?)$/.exec(text) ?? [];
  return number === '' ? undefined : String(Number(number) * 1024 ** ' KMG'.indexOf(unit || ' '));
};
const cpus: Reading = (text) => (/^[0-9,-]+$/.test(text) ? maskOfList(text) : undefined);

/** Keys of the section [Link] that are knobs: where that is below a card, and what their words mean there (systemd.link(5)). */
const SETTINGS: Readonly<Record<string, readonly [place: string, reading: Reading]>> = {
  MTUBytes: ['mtu', bytes],
  TransmitQueueLength: ['tx_queue_len', count],
  ReceivePacketSteeringCPUMask: ['queues/rx-*/rps_cpus', cpus],
  RxBufferSize: ['rings/rx', count],
  RxMiniBufferSize: ['rings/rx-mini', count],
  RxJumboBufferSize: ['rings/rx-jumbo', count],
  TxBufferSize: ['rings/tx', count],
  RxChannels: ['channels/rx', count],
  TxChannels: ['channels/tx', count],
  CombinedChannels: ['channels/combined', count],
  ReceiveChecksumOffload: ['offloads/rx', onOff],
  TransmitChecksumOffload: ['offloads/tx', onOff],
  TCPSegmentationOffload: ['offloads/tso', onOff],
  GenericSegmentationOffload: ['offloads/gso', onOff],
  UDPSegmentationOffload: ['offloads/tx-udp-segmentation', onOff],
  GenericReceiveOffload: ['offloads/gro', onOff],
  GenericReceiveOffloadHardware: ['offloads/rx-gro-hw', onOff],
  LargeReceiveOffload: ['offloads/lro', onOff],
  ReceiveVLANCTAGHardwareAcceleration: ['offloads/rxvlan', onOff],
  TransmitVLANCTAGHardwareAcceleration: ['offloads/txvlan', onOff],
  ReceiveVLANCTAGFilter: ['offloads/rx-vlan-filter', onOff],
  NTupleFilter: ['offloads/ntuple', onOff],
  UseAdaptiveRxCoalesce: ['coalescing/adaptive-rx', onOff],
  UseAdaptiveTxCoalesce: ['coalescing/adaptive-tx', onOff],
  RxCoalesceSec: ['coalescing/rx-usecs', microseconds],
  RxCoalesceIrqSec: ['coalescing/rx-usecs-irq', microseconds],
  TxCoalesceSec: ['coalescing/tx-usecs', microseconds],
  TxCoalesceIrqSec: ['coalescing/tx-usecs-irq', microseconds],
  RxMaxCoalescedFrames: ['coalescing/rx-frames', count],
  RxMaxCoalescedIrqFrames: ['coalescing/rx-frames-irq', count],
  TxMaxCoalescedFrames: ['coalescing/tx-frames', count],
  TxMaxCoalescedIrqFrames: ['coalescing/tx-frames-irq', count],
};

/** A file of the folder systemd/network, with what its folder `NAME.d` adds. */
export interface NetworkFile {
  /** Of the section [Match]. */
  readonly conditions: ReadonlyMap<string, string>;
  /** Of the others, each the last one of its section and name. */
  readonly settings: readonly {
    readonly section: string;
    readonly key: string;
    readonly value: string;
    readonly at: string;
  }[];
}

/** Its lines as systemd.syntax(7) has them. */
export function networkFile(lines: readonly Line[]): NetworkFile {
  const conditions = new Map<string, string>();
  const settings = new Map<string, NetworkFile['settings'][number]>();
  let section = '';
  for (const { text, at } of lines) {
    section = /^\[(.+)\]$/.exec(text)?.[1] ?? section;
    const [, key = '', value = ''] = /^([A-Za-z0-9]+)\s*=\s*(.*)$/.exec(text) ?? [];
    // a list goes on in the next line of its name, an empty one begins it anew
    if (section === 'Match' && key !== '')
      conditions.set(key, value === '' ? '' : `${conditions.get(key) ?? ''} ${value}`.trim());
    else if (key !== '') settings.set(`${section}.${key}`, { section, key, value, at });
  }
  return { conditions, settings: [...settings.values()] };
}

/** Whether udev has renamed a card: nobody knows then what the kernel called it, but that was `eth` and a number. */
const renamed = (sys: Tree, card: string): boolean => sys.text(`class/net/${card}/name_assign_type`) === '4';

/** What a condition is about of a card; undefined where only udev knows. */
function subjectOf(sys: Tree, card: string, condition: string): readonly string[] | undefined {
  const at = `class/net/${card}`;
  switch (condition) {
    case 'OriginalName':
      return renamed(sys, card) ? [card, 'eth0'] : [card];
    case 'Name':
      return [card];
    case 'Kind':
      return []; // only what software makes is of one
    case 'Driver':
      return [sys.target(`${at}/device/driver`) ?? 'unknown'];
    case 'MACAddress':
    case 'PermanentMACAddress': {
      const address = sys.text(`${at}/address`)?.toLowerCase();
      return address === undefined ? undefined : [address];
    }
    case 'Path': {
      const device = sys.target(`${at}/device`) ?? '';
      return /^[0-9a-f]{4}:/.test(device) ? [`pci-${device}`] : undefined;
    }
    case 'Type':
      return ['ether'];
    default:
      return undefined;
  }
}

/** Patterns of every name that a kernel gives, and of some of them. */
const EVERY = /^(e(th?)?)?\*$/;
const SOME = /^(eth|(e(th?)?)?[*?[])/;

/** Whether a file is about a card: yes, no, or what only udev knows. */
function fits(sys: Tree, card: string, { conditions }: NetworkFile): 'yes' | 'no' | 'perhaps' {
  let sure = true;
  for (const [key, value] of conditions) {
    const subjects = subjectOf(sys, card, key);
    const not = value.startsWith('!');
    const words = value.replace(/^!/, '').split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    const perhaps =
      key === 'OriginalName' &&
      renamed(sys, card) &&
      !words.some((word) => EVERY.test(word)) &&
      words.some((word) => SOME.test(word) || matches(word, card));
    if (subjects === undefined || perhaps) sure = false;
    else {
      const lower = key.endsWith('MACAddress');
      const some = words.some((word) => subjects.some((one) => matches(lower ? word.toLowerCase() : word, one)));
      if (some === not) return 'no';
    }
  }
  return sure ? 'yes' : 'perhaps';
}

function settingsFor(card: string, { settings }: NetworkFile): readonly BootSetting[] {
  return settings.flatMap(({ section, key, value, at }) => {
    const [place = '', reading] = SETTINGS[key] ?? [];
    if (section !== 'Link' || reading === undefined || value === '') return [];
    const path = /^(mtu|tx_queue_len|queues)/.test(place) ? `/sys/class/net/${card}/${place}` : `/nic/${card}/${place}`;
    const said = reading(value);
    return [{ path, at, when: APPEARS, ...(said === undefined ? {} : { value: said }) }];
  });
}

/** What the first file by name that is about a card sets of it, and those before of which that is not sure. */
export function firstOf(
  files: readonly NetworkFile[],
  card: string,
  sys: Tree,
  settingsOf: (card: string, file: NetworkFile) => readonly BootSetting[],
): readonly BootSetting[] {
  const found: BootSetting[] = [];
  for (const file of files) {
    const answer = fits(sys, card, file);
    if (answer === 'no') continue;
    // what comes first counts
    found.push(...settingsOf(card, file).filter(({ path }) => !found.some((one) => one.path === path)));
    if (answer === 'yes') break;
  }
  return found;
}

/** Reads what systemd.link(5) sets of the cards of a machine. */
export function linkReader(root: string): (sys: Tree, devices: readonly string[]) => readonly BootSetting[] {
  const fileOf = readOnce(root, networkFile);
  const each = ofEach<NetworkFile>((files, device, sys) =>
    firstOf(files, device.slice('class/net/'.length), sys, settingsFor),
  );
  return (sys, devices) =>
    each(
      filesWithMore(root, folders('systemd/network'), '.link').map((paths) => fileOf(...paths)),
      devices,
      sys,
    );
}
