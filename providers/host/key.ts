/**
 * The path below /proc/sys of a sysctl's name, undefined if it is not a name. As sysctl(8) has it, the first separator decides: after a dot, dots
 * separate and slashes stand for dots (`net.ipv4.conf.eth0/1.mtu`); after a slash it is the other way round.
 */
export function pathOf(key: string): string | undefined {
  const first = /[./]/.exec(key)?.[0];
  const parts = first === '/' ? key.split('/') : key.split('.').map((part) => part.replaceAll('/', '.'));
  const safe = parts.length > 1 && parts.every((part) => /^[A-Za-z0-9_*@:.-]+$/.test(part) && !/^\.+$/.test(part));
  return safe ? parts.join('/') : undefined;
}

/** A value as compared: surrounding white space dropped, inner runs folded to one space. */
export function normalise(value: string): string {
  return value.trim().replace(/\s+/g, ' ');
}

/** Knobs of which the kernel holds one and shows 0 for the other; writing one clears the other, and 0 cannot always be written back. */
const COUNTERPARTS: Readonly<Record<string, string>> = {
  'vm.dirty_bytes': 'vm.dirty_ratio',
  'vm.dirty_ratio': 'vm.dirty_bytes',
  'vm.dirty_background_bytes': 'vm.dirty_background_ratio',
  'vm.dirty_background_ratio': 'vm.dirty_background_bytes',
};

/** The knob that holds the value where this one shows 0. */
export function counterpartOf(key: string): string | undefined {
  return COUNTERPARTS[key.replaceAll('/', '.')];
}

/** Slots of the hash table of connections that fill a page, of 64 KiB at most. */
const SLOTS = 8192;

/** Knobs of which the kernel makes the next size that it can have: whether it may be that of the value. */
const ROUNDED: Readonly<Record<string, (says: number, value: number) => boolean>> = {
  // whole pages of slots (nf_ct_alloc_hashtable)
  'net.netfilter.nf_conntrack_buckets': (says, value) => says >= value && says - value < SLOTS,
  // powers of two (rps_sock_flow_sysctl)
  'net.core.rps_sock_flow_entries': (says, value) => value > 0 && says === 2 ** Math.ceil(Math.log2(value)),
};

/** Whether what a knob says stands for a value: it is the same, or what the kernel makes of it. */
export function standsFor(key: string, says: string, value: string): boolean {
  const wanted = normalise(value);
  return says === wanted || (ROUNDED[key.replaceAll('/', '.')]?.(Number(says), Number(wanted)) ?? false);
}

/** Whether the kernel takes a value as far as it can just now, and may have more of it later: huge pages, of memory that is in one piece. */
export function givesWhatItHas(key: string): boolean {
  return /^vm\.nr_hugepages(_mempolicy)?$/.test(key.replaceAll('/', '.'));
}
