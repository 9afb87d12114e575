import { join } from 'node:path';
import type { Evidence, Known, Limitation, Observed } from '../../reconciler/model/change.ts';
import { asPlumbError, errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import { diffByRef, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { SysctlSpec, SysctlState } from '../../reconciler/model/resources.ts';
import { diffSysctl } from './diff.ts';
import { disk, type Files } from './files.ts';
import { inTheWay } from './in-use.ts';
import { counterpartOf, normalise, pathOf, standsFor } from './key.ts';
import { originalsIn, type Original, type Originals } from './originals.ts';
import type { Rivals } from './rivals/rivals.ts';
import { createWatches } from './watches.ts';

export interface HostOptions {
  /** Where proc is mounted. */
  readonly procRoot?: string;
  /** The file that keeps what knobs said before they were first written. */
  readonly originalsFile: string;
  readonly files?: Files;
  /** Who else sets them. */
  readonly rivals?: Rivals;
}

/** A knob as the kernel shows it: its text, or why there is none. */
type Reading = { readonly text: string } | { readonly errno: string };

/**
 * Kernel parameters below /proc/sys. The value before our first write is kept in a file before that write, and put back when the
 * knob is wanted no more. An observe without refs covers those that are wanted, ours, or were asked for before.
 */
export function host(options: HostOptions): Provider<SysctlSpec, SysctlState> {
  const { procRoot = '/proc', originalsFile, files = disk, rivals } = options;
  const originals = originalsIn(originalsFile);
  const watches = createWatches(files, (ref) => {
    const path = pathOf(nameOf(ref));
    return path === undefined ? [] : [join(procRoot, 'sys', path)];
  });

  function read(key: string): Reading {
    const path = pathOf(key);
    if (path === undefined) return { errno: 'ENOENT' };
    try {
      return { text: files.read(join(procRoot, 'sys', path)) };
    } catch (error) {
      return { errno: errnoOf(error) };
    }
  }

  const has = (key: string): boolean => 'text' in read(key);

  function write(key: string, text: string): void {
    const path = pathOf(key);
    if (path === undefined) throw new PlumbError('KNOB_UNSUPPORTED', `${key} is not a name of a kernel knob`);
    try {
      files.write(join(procRoot, 'sys', path), text);
    } catch (error) {
      const errno = errnoOf(error);
      const message = `${key} = ${normalise(text)}: ${errno}, ${WHY[errno] ?? 'refused by the kernel'}`;
      throw new PlumbError('KNOB_REFUSED', message, { key, value: normalise(text), errno }, error);
    }
  }

  function observeOne(ref: Ref): Known<SysctlState> {
    const key = nameOf(ref);
    const original = originals.all().get(key);
    const reading = read(key);
    const owned = original !== undefined;
    const kept = owned ? { original: normalise(original.value) } : {};
    const claims = rivals?.claimsOn(ref) ?? [];
    const state = 'text' in reading ? { value: normalise(reading.text), ...kept } : kept;
    if ('text' in reading) return { known: true, ref, owned, state, ...(claims.length > 0 ? { claims } : {}) };
    return { known: true, ref, owned, state, limitations: [limitation(ref, reading.errno, has)] };
  }

  function set(key: string, value: string): string {
    const before = read(key);
    if ('errno' in before)
      throw new PlumbError('KNOB_UNSUPPORTED', `${key}: ${limitation(refOf('sysctl', key), before.errno, has).why}`);
    if (standsFor(key, normalise(before.text), value)) return 'was right already';
    refuseBelowUse(key, value, before.text);
    const fresh = !originals.all().has(key);
    originals.remember(key, originalOf(key, before.text));
    try {
      write(key, value);
    } catch (error) {
      if (fresh) originals.forget(key);
      throw error;
    }
    const after = read(key);
    const says = 'text' in after ? normalise(after.text) : after.errno;
    if (standsFor(key, says, value)) return `${normalise(before.text)} -> ${says}`;
    throw new PlumbError('KNOB_REFUSED', `${key} = ${normalise(value)}: the kernel took it and says ${says}`, {
      key,
      value: normalise(value),
      says,
    });
  }

  /** A limit is not lowered below what is in use: the machine could start, open or connect nothing more. */
  function refuseBelowUse(key: string, value: string, before: string): void {
    const told = inTheWay(key, value, before, (file) => {
      try {
        return files.read(join(procRoot, file));
      } catch {
        return undefined;
      }
    });
    if (told) throw new PlumbError('KNOB_REFUSED', `${key} = ${normalise(value)}: ${told.why}`, { key, ...told });
  }

  function originalOf(key: string, text: string): Original {
    const counterpart = counterpartOf(key);
    if (counterpart === undefined || normalise(text) !== '0') return { value: text };
    const other = read(counterpart);
    return 'text' in other ? { value: text, instead: { key: counterpart, value: other.text } } : { value: text };
  }

  function restore(key: string): string {
    const original = originals.all().get(key);
    if (!original) return 'has no original';
    const now = read(key);
    if ('errno' in now && now.errno === 'ENOENT') {
      originals.forget(key);
      return 'is not there any more';
    }
    if (!('text' in now) || now.text !== original.value) {
      const { instead } = original;
      if (instead) write(instead.key, instead.value);
      else write(key, original.value);
    }
    const after = read(key);
    if (!('text' in after) || normalise(after.text) !== normalise(original.value)) {
      const says = 'text' in after ? normalise(after.text) : after.errno;
      const message = `${key}: its original ${normalise(original.value)} does not come back, the kernel says ${says}`;
      throw new PlumbError('KNOB_REFUSED', message, { key, says });
    }
    originals.forget(key);
    return `original ${normalise(original.value)} put back`;
  }

  return {
    name: 'host',
    kinds: ['sysctl'],

    async observe(ctx, refs) {
      const asked = refs ?? everything(originals, ctx.wanted ?? [], watches.refs());
      for (const ref of asked) watches.add(ref);
      return asked.map((ref) => seen(ref, observeOne));
    },
    diff: diffByRef(diffSysctl),

    async apply({ ref, verb, want }) {
      const key = nameOf(ref);
      const did = verb === 'delete' || !want ? restore(key) : set(key, want.value);
      const evidence: Evidence = { did: `${key} ${did}`, observed: observeOne(ref) };
      return evidence;
    },
    watch: (ctx) => watches.hints(ctx),
  };
}

const WHY: Readonly<Record<string, string>> = {
  EPERM: 'not permitted here; some knobs belong to the machine, not to a namespace',
  EACCES: 'not permitted; it is read-only here, or root is needed',
  EROFS: 'proc is mounted read-only',
  EINVAL: 'the kernel does not take this value',
  ERANGE: 'outside the range of the kernel',
  EBUSY: 'in use',
  ENOENT: 'the kernel has no such knob',
};

/** Knobs that are there once a module of the kernel is, and one that says whether it is. */
const MODULES: readonly (readonly [RegExp, string, string])[] = [
  [/^net\.(netfilter\.)?nf_conntrack_/, 'nf_conntrack', 'net.netfilter.nf_conntrack_max'],
  [/^net\.bridge\./, 'br_netfilter', 'net.bridge.bridge-nf-call-iptables'],
];

/** Why a knob cannot be read; `has` says whether there is another one. */
function limitation(ref: Ref, errno: string, has: (key: string) => boolean): Limitation {
  const gone = errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EISDIR';
  const why = gone ? 'this kernel has no such knob' : `it cannot be read (${errno}), so it is not written`;
  const module = MODULES.find(([keys, , sign]) => gone && keys.test(nameOf(ref)) && !has(sign))?.[1];
  const fix = module === undefined ? {} : { fix: `modprobe ${module}` };
  return { ref, path: '/value', state: gone ? 'Unsupported' : 'Refused', why, ...fix };
}

/** Throws when it is not known what is ours. */
function everything(originals: Originals, wanted: readonly Ref[], before: Iterable<Ref>): readonly Ref[] {
  const ours = [...originals.all().keys()].map((key) => refOf('sysctl', key));
  return [...new Set([...wanted.filter((ref) => kindOf(ref) === 'sysctl'), ...ours, ...before])];
}

function seen(ref: Ref, observeOne: (ref: Ref) => Known<SysctlState>): Observed<SysctlState> {
  try {
    return observeOne(ref);
  } catch (error) {
    return { known: false, ref, why: asPlumbError(error).message };
  }
}
