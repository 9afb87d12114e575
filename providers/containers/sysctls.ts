import { setTimeout as sleep } from 'node:timers/promises';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { NamespaceFiles } from '../../reconciler/model/namespace-files.ts';
import type { Ref } from '../../reconciler/model/ref.ts';
import type { SandboxState } from '../../reconciler/model/resources.ts';
import { semaphore } from '../../reconciler/model/semaphore.ts';

/** The net sysctls of sandboxes that run: read in turn while somebody listens, since nothing tells that one was changed by hand. */
export interface SandboxSysctls {
  /** A sandbox as it was seen, with the sysctls that were last read to be others than it was made with. */
  noted(ref: Ref, state: SandboxState): SandboxState;
  /** It was made just now, with the sysctls that were asked for. */
  made(id: string): void;
  /** Reads those that this process has neither made nor read yet: whoever looks once sees all. */
  firstLook(signal: AbortSignal): Promise<void>;
  /** Forgets the sandboxes that are not among these. */
  retain(refs: ReadonlyMap<Ref, unknown>): void;
  /** Refs of sandboxes of which the sysctls turn out to differ, or not to differ any more, until the signal aborts. */
  rounds(signal: AbortSignal): AsyncIterable<Ref>;
  /** Sets those that differ; says what it did. Throws CONFLICT, KNOB_REFUSED. */
  restore(ref: Ref, id: string, signal: AbortSignal): Promise<string>;
}

/** One sandbox whose sysctls are held to what it was made with. */
interface Held {
  readonly id: string;
  readonly pid: number;
  readonly asked: readonly (readonly [key: string, value: string])[];
  differing: Readonly<Record<string, string>> | undefined;
  /** It was running before this process, which has not read it. */
  unread: boolean;
}

export interface SysctlOptions {
  readonly files: NamespaceFiles;
  /** All sandboxes are read once in so many milliseconds. */
  readonly round?: number;
  /** Some of them each so many milliseconds. */
  readonly tick?: number;
}

const READ_LIMIT = 10_000;
/** Sandboxes entered at a time: where there is no perl, each is entered by a program of its own. */
const AT_ONCE = 8;

function fold(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

/** As a container runtime reads a key: all dots are slashes. */
function fileOf(key: string): string {
  return `/proc/sys/${key.replaceAll('.', '/')}`;
}

/** Holds the sysctls of sandboxes by files of their network namespaces. */
export function sandboxSysctls({ files, round = 60_000, tick = 1000 }: SysctlOptions): SandboxSysctls {
  const held = new Map<Ref, Held>();
  /** Sandboxes of our own making that have not been seen yet. */
  const own = new Set<string>();
  const slot = semaphore(AT_ONCE);
  /** What the kernel says after it took a value, where that reads otherwise: `1,2,3` is `1-3`. */
  const forms = new Map<string, string>();

  function differs(key: string, asked: string, text: string | undefined): text is string {
    return text !== undefined && fold(text) !== fold(asked) && fold(text) !== forms.get(`${key}=${asked}`);
  }

  async function read({ pid, asked }: Held, signal: AbortSignal): Promise<Held['differing']> {
    const paths = asked.map(([key]) => fileOf(key));
    const texts = await files.read(pid, paths, AbortSignal.any([signal, AbortSignal.timeout(READ_LIMIT)]));
    const differing = asked.flatMap(([key, value], at) => {
      const text = texts[at];
      return differs(key, value, text) ? [[key, fold(text)] as const] : [];
    });
    return differing.length === 0 ? undefined : Object.fromEntries(differing);
  }

  /** Reads the one that was not read for the longest time; gives its ref if that is news. */
  async function next(signal: AbortSignal): Promise<Ref | undefined> {
    const [first] = held;
    if (!first) return undefined;
    const [ref, item] = first;
    held.delete(ref);
    held.set(ref, item);
    item.unread = false;
    try {
      const differing = await read(item, signal);
      if (held.get(ref) !== item || JSON.stringify(differing) === JSON.stringify(item.differing)) return undefined;
      item.differing = differing;
      return ref;
    } catch {
      // it has just ended, or nothing can enter namespaces here: what was seen last holds
      return undefined;
    }
  }

  return {
    noted(ref, state) {
      const { id, pid, running, made } = state;
      const before = held.get(ref);
      const same = before !== undefined && before.id === id && before.pid === pid;
      if (!running || pid === undefined) held.delete(ref);
      else if (!same) {
        held.delete(ref);
        const asked = askedIn(made);
        if (asked.length > 0) held.set(ref, { id, pid, asked, differing: undefined, unread: !own.has(id) });
        own.delete(id);
      }
      return same && running && before.differing !== undefined ? { ...state, sysctls: before.differing } : state;
    },
    made: (id) => void own.add(id),
    async firstLook(signal) {
      const unread = [...held.values()].filter((item) => item.unread);
      const look = async (item: Held): Promise<void> => {
        item.unread = false;
        // it has just ended, or nothing can enter namespaces here
        item.differing = await slot(() => read(item, signal)).catch(() => undefined);
      };
      await Promise.all(unread.map(look));
    },
    retain(refs) {
      for (const ref of held.keys()) if (!refs.has(ref)) held.delete(ref);
    },
    async *rounds(signal) {
      for (let due = 0; !signal.aborted; due += (held.size * tick) / round) {
        for (; due >= 1; due -= 1) {
          const ref = await next(signal);
          if (ref !== undefined) yield ref;
        }
        await sleep(tick, undefined, { signal }).catch(() => undefined);
      }
    },
    async restore(ref, id, signal) {
      const item = held.get(ref);
      if (item?.id !== id) throw new PlumbError('CONFLICT', `${ref} is another by now; it is looked at again`, { ref });
      const before = (await read(item, signal)) ?? {};
      const asked = new Map(item.asked);
      for (const key of Object.keys(before)) await files.write(item.pid, fileOf(key), asked.get(key) ?? '', signal);
      for (const [key, text] of Object.entries((await read(item, signal)) ?? {}))
        if (key in before) forms.set(`${key}=${asked.get(key) ?? ''}`, text);
      item.differing = undefined;
      const did = Object.entries(before).map(([key, text]) => `${key} ${text} -> ${asked.get(key) ?? ''}`);
      return did.length === 0 ? 'its sysctls were right already' : did.join(', ');
    },
  };
}

/** The sysctls in the canonical JSON that a sandbox was made of; none where that was not kept. */
function askedIn(made: string | undefined): Held['asked'] {
  if (made === undefined) return [];
  const { sysctls } = parsed(made);
  if (typeof sysctls !== 'object' || sysctls === null) return [];
  return Object.entries(sysctls).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'string' && /^net\.[a-zA-Z0-9_.]+$/.test(key) && !key.includes('..')
      ? [[key, value] as const]
      : [],
  );
}

function parsed(text: string): { readonly sysctls?: unknown } {
  try {
    return (JSON.parse(text) as { readonly sysctls?: unknown } | null) ?? {};
  } catch {
    return {};
  }
}
