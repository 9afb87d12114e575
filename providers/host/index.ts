import { join } from 'node:path';
import type { Evidence, Known, Limitation, Observed } from '../../reconciler/model/change.ts';
import { asPlumbError, errnoOf, PlumbError } from '../../reconciler/model/errors.ts';
import { diffByRef, type Provider } from '../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { SysctlSpec, SysctlState } from '../../reconciler/model/resources.ts';
import { diffSysctl } from './diff.ts';
import { disk, type Files } from './files.ts';
import { inTheWay } from './in-use.ts';
import { counterpartOf, givesWhatItHas, normalise, pathOf, standsFor } from './key.ts';
import { originalsIn, type Original, type Originals } from './originals.ts';
import { createRefusals, errnoIn, isLacking, type Refusal, type Refusals } from './refusals.ts';
import type { Rivals } from './rivals/rivals.ts';
import { takesOf } from './takes.ts';
import { createWatches } from './watches.ts';

export interface HostOptions {
  /** Where proc is mounted. */
  readonly procRoot?: string;
  /** The file that keeps what knobs said before they were first written. */
  readonly originalsFile: string;
  readonly files?: Files;
  /** Who else sets them. */
  readonly rivals?: Rivals;
  /** What this machine refused, of this provider and others. */
  readonly refusals?: Refusals;
}

/** A knob as the kernel shows it: its text, or why there is none. */
type Reading = { readonly text: string } | { readonly errno: string };

/**
 * Kernel parameters below /proc/sys. The value before our first write is kept in a file before that write, and put back when the
 * knob is wanted no more. What is refused for good is marked, and not asked for again (`refusals.ts`). An observe without refs covers those that are
 * wanted, ours, or were asked for before.
 */
export function host(options: HostOptions): Provider<SysctlSpec, SysctlState> {
  const { procRoot = '/proc', originalsFile, files = disk, rivals, refusals = createRefusals() } = options;
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
  const textOf = (key: string): string | undefined => {
    const reading = read(key);
    return 'text' in reading ? reading.text : undefined;
  };

  /** Why it was not taken, the errno before the words; undefined where it was. */
  function write(key: string, text: string): string | undefined {
    const path = pathOf(key);
    if (path === undefined) throw new PlumbError('KNOB_UNSUPPORTED', `${key} is not a name of a kernel knob`);
    try {
      files.write(join(procRoot, 'sys', path), text);
      return undefined;
    } catch (error) {
      const errno = errnoOf(error);
      const takes = OF_THE_VALUE.has(errno) ? takesOf(key, textOf) : undefined;
      return `${errno}, ${WHY[errno] ?? 'refused by the kernel'}${takes === undefined ? '' : `; it takes ${takes}`}`;
    }
  }

  function observeOne(ref: Ref): Known<SysctlState> {
    const key = nameOf(ref);
    const original = originals.all().get(key);
    const reading = read(key);
    const owned = original !== undefined;
    const kept = owned ? { original: normalise(original.value) } : {};
    const claims = rivals?.claimsOn(ref) ?? [];
    if (!('text' in reading))
      return { known: true, ref, owned, state: kept, limitations: [limitation(ref, reading.errno, has)] };
    const value = normalise(reading.text);
    const refused = refusals.of(ref, value);
    const state = { value, ...kept, ...(refused ? { refused: refused.target } : {}) };
    return {
      known: true,
      ref,
      owned,
      state,
      ...(refused ? { limitations: [refusal(ref, refused)] } : {}),
      ...(claims.length > 0 ? { claims } : {}),
    };
  }

  /** A refusal is marked, if it does not pass, with what it says afterwards. */
  function refuse(key: string, want: string, why: string): PlumbError {
    const target = normalise(want);
    const says = textOf(key);
    if (says !== undefined && !givesWhatItHas(key))
      refusals.note(refOf('sysctl', key), { target, want, why, says: normalise(says) });
    return new PlumbError('KNOB_REFUSED', `${key} = ${target}: ${why}`, { key, value: target });
  }

  /** It was taken, and what others of its kind refused may be taken now. */
  function taken(key: string): void {
    const ref = refOf('sysctl', key);
    refusals.forget(ref);
    const [kind = ''] = key.split(/[./]/);
    refusals.forgetOthers((id) => id !== ref && id.startsWith(`sysctl/${kind}`));
  }

  function set(key: string, value: string): string {
    const before = read(key);
    if ('errno' in before)
      throw new PlumbError('KNOB_UNSUPPORTED', `${key}: ${limitation(refOf('sysctl', key), before.errno, has).why}`);
    if (standsFor(key, normalise(before.text), value)) return 'was right already';
    refuseBelowUse(key, value, before.text);
    const fresh = !originals.all().has(key);
    originals.remember(key, originalOf(key, before.text));
    const why = write(key, value);
    if (why !== undefined) {
      if (fresh) originals.forget(key);
      throw refuse(key, value, why);
    }
    const after = read(key);
    const says = 'text' in after ? normalise(after.text) : after.errno;
    if (!standsFor(key, says, value)) throw refuse(key, value, `the kernel took it and says ${says}`);
    taken(key);
    return `${normalise(before.text)} -> ${says}`;
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
      const back = original.instead ?? { key, value: original.value };
      const why = write(back.key, back.value);
      if (why !== undefined)
        throw new PlumbError('KNOB_REFUSED', `${back.key} = ${normalise(back.value)}: ${why}`, { key });
    }
    const after = read(key);
    if (!('text' in after) || normalise(after.text) !== normalise(original.value)) {
      const says = 'text' in after ? normalise(after.text) : after.errno;
      const message = `${key}: its original ${normalise(original.value)} does not come back, the kernel says ${says}`;
      throw new PlumbError('KNOB_REFUSED', message, { key, says });
    }
    originals.forget(key);
    taken(key);
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

/** Errors that are about the value. */
const OF_THE_VALUE: ReadonlySet<string> = new Set(['EINVAL', 'ERANGE', 'EDOM', 'ENOENT']);

const WHY: Readonly<Record<string, string>> = {
  EPERM: 'not permitted here; some knobs belong to the machine, not to a namespace',
  EACCES: 'not permitted; it is read-only here, or root is needed',
  EROFS: 'proc is mounted read-only',
  EINVAL: 'the kernel does not take this value',
  ERANGE: 'outside the range of the kernel',
  EBUSY: 'in use',
  ENOENT: 'the kernel has nothing of that name',
  EDOM: 'outside the range of the kernel',
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

/** What is said of a value that was refused for good. */
function refusal(ref: Ref, { target, want, why }: Refusal): Limitation {
  const errno = errnoIn(why);
  const state = isLacking(errno) ? 'Unsupported' : 'Refused';
  return { ref, path: '/value', state, why: `${target}: ${why}`, want, ...(errno === undefined ? {} : { errno }) };
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
