import { isDeepStrictEqual } from 'node:util';
import type { BlockIoLimit } from '../../reconciler/model/catalog.ts';
import { blockIoWeightOf, ioWeightOf } from './conversion.ts';
import { DEVICES, type Knob, type Raw, type Wanted, type Write } from './knob.ts';

const weightIn = (text: string | undefined): number => Number(/^(?:default )?([0-9]+)/.exec(text ?? '')?.[1]);

/** A weight file; without a wish it is to stand at the kernel's default. */
function weightKnob(file: string, unset: number, to: (w: number) => number, from: (w: number) => number): Knob {
  const wanted = (want: Wanted): number => (want.blockIoWeight === undefined ? unset : to(want.blockIoWeight));
  return {
    field: 'blockIoWeight',
    controller: 'blkio',
    files: [file],
    decode: (raw) => from(weightIn(raw[file])),
    accepts: (want, raw) => weightIn(raw[file]) === wanted(want),
    encode: (want) => [{ file, value: String(wanted(want)) }],
  };
}

const same = (weight: number): number => weight;
const weights: readonly Knob[] = [
  weightKnob('blkio.weight', 500, same, same),
  weightKnob('blkio.bfq.weight', 100, same, same),
  weightKnob('io.bfq.weight', 100, same, same),
  weightKnob('io.weight', 100, ioWeightOf, blockIoWeightOf),
];

type Part = keyof BlockIoLimit;
/** Device number (`8:0`) → what it is limited to; a device without any limit has no entry. */
type Limits = ReadonlyMap<string, BlockIoLimit>;

/** v1: a file for each part, with a line `8:0 1048576` for each device. */
const THROTTLE: readonly (readonly [Part, string])[] = [
  ['readBytes', 'blkio.throttle.read_bps_device'],
  ['writeBytes', 'blkio.throttle.write_bps_device'],
  ['readOps', 'blkio.throttle.read_iops_device'],
  ['writeOps', 'blkio.throttle.write_iops_device'],
];
/** v2: `8:0 rbps=1048576 wbps=max riops=max wiops=max`. */
const MAX = 'io.max';
const KEYS: readonly (readonly [Part, string])[] = [
  ['readBytes', 'rbps'],
  ['writeBytes', 'wbps'],
  ['readOps', 'riops'],
  ['writeOps', 'wiops'],
];

function linesOf(text: string | undefined): readonly (readonly string[])[] {
  return (text ?? '').split('\n').flatMap((line) => (line === '' ? [] : [line.trim().split(/\s+/)]));
}

function heldByV1(raw: Raw): Limits {
  const limits = new Map<string, BlockIoLimit>();
  for (const [part, file] of THROTTLE)
    for (const [device = '', value] of linesOf(raw[file]))
      limits.set(device, { ...limits.get(device), [part]: Number(value) });
  return limits;
}

function heldByV2(raw: Raw): Limits {
  const limits = linesOf(raw[MAX]).map(([device = '', ...pairs]) => {
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    const set = KEYS.flatMap(([part, key]) => {
      const value = values.get(key);
      return value === undefined || value === 'max' ? [] : [[part, Number(value)] as const];
    });
    return [device, Object.fromEntries(set)] as const;
  });
  return new Map(limits.filter(([, limit]) => Object.keys(limit).length > 0));
}

/** The devices that there are, as `sda 8:0 disk` and `loop0 7:0`: those that are no disks have to be named. */
function devicesIn(raw: Raw): readonly { readonly name: string; readonly number: string; readonly disk: boolean }[] {
  return linesOf(raw[DEVICES]).map(([name = '', number = '', kind]) => ({ name, number, disk: kind !== undefined }));
}

function wantedLimits({ blockIoLimits = {} }: Wanted, raw: Raw): Limits {
  const wanted = devicesIn(raw).flatMap(({ name, number, disk }) => {
    const limit = blockIoLimits[name] ?? (disk ? blockIoLimits['*'] : undefined);
    return limit ? [[number, limit] as const] : [];
  });
  return new Map(wanted);
}

function limitsKnob(files: readonly string[], held: (raw: Raw) => Limits, write: DeviceWrites): Knob {
  return {
    field: 'blockIoLimits',
    controller: 'blkio',
    files,
    decode: (raw) => {
      const names = new Map(devicesIn(raw).map(({ name, number }) => [number, name]));
      const limits = [...held(raw)].map(([number, limit]) => [names.get(number) ?? number, limit] as const);
      return limits.length === 0 ? undefined : Object.fromEntries(limits);
    },
    accepts: (want, raw) => {
      const [wanted, have] = [wantedLimits(want, raw), held(raw)];
      return wanted.size === have.size && [...wanted].every(([at, limit]) => isDeepStrictEqual(limit, have.get(at)));
    },
    encode: (want, raw) => {
      const [wanted, have] = [wantedLimits(want, raw), held(raw)];
      return [...new Set([...wanted.keys(), ...have.keys()])].flatMap((device) =>
        isDeepStrictEqual(wanted.get(device), have.get(device))
          ? []
          : write(device, wanted.get(device) ?? {}, have.get(device) ?? {}),
      );
    },
  };
}

/** What is written of one device. */
type DeviceWrites = (device: string, want: BlockIoLimit, have: BlockIoLimit) => readonly Write[];

const limits: readonly Knob[] = [
  limitsKnob(
    THROTTLE.map(([, file]) => file),
    heldByV1,
    (device, want, have) =>
      THROTTLE.filter(([part]) => want[part] !== have[part]).map(([part, file]) => ({
        file,
        value: `${device} ${String(want[part] ?? 0)}`,
      })),
  ),
  limitsKnob([MAX], heldByV2, (device, want) => [
    { file: MAX, value: [device, ...KEYS.map(([part, key]) => `${key}=${String(want[part] ?? 'max')}`)].join(' ') },
  ]),
];

/** What a cgroup may have of the disks, in the order in which it is written. */
export const IO_KNOBS: readonly Knob[] = [...weights, ...limits];
