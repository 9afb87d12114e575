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
