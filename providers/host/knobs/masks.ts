import { parseCpus } from '../../../reconciler/model/cores.ts';

/** A set of CPUs as the kernel takes masks: groups of 32 bits in hexadecimal, the highest first. */
export function maskOf(cpus: Iterable<number>): string {
  let bits = 0n;
  for (const cpu of cpus) bits |= 1n << BigInt(cpu);
  const digits = bits.toString(16);
  const padded = digits.length > 8 ? digits.padStart(Math.ceil(digits.length / 8) * 8, '0') : digits;
  return padded.match(/.{1,8}/g)?.join(',') ?? '0';
}

/** A mask without what the kernel pads it with: `00000000,000000ff` is `ff`. */
export function plainMask(text: string): string {
  return text
    .trim()
    .replaceAll(',', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '');
}

/** The mask of a list as the kernel writes it, `0-3,8`. */
export function maskOfList(list: string): string {
  return maskOf(parseCpus(list));
}
