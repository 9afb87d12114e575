import fs from 'node:fs';
import { join } from 'node:path';
import { makeDirectorySync } from '../../disk/directory.ts';
import { DRAFT, replaceFileSync } from '../../disk/replace.ts';
import { asPlumbError, errnoOf } from '../../reconciler/model/errors.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';

/** One thing of the simulated world: what its file says. */
export interface Thing {
  /** The fleet that made it; without one, or with another's, it is a stranger. */
  readonly owner?: string;
  readonly state: Readonly<Record<string, unknown>>;
  /** For containers: whether probes succeed; true if absent. */
  readonly ready?: boolean;
}

/** A file that does not hold a thing. */
export interface Unreadable {
  readonly why: string;
}

/** The simulated world: `DIR/KIND/NAME.json`, names encoded as in URLs. */
export interface Things {
  get(ref: Ref): Thing | Unreadable | undefined;
  all(): readonly Ref[];
  put(ref: Ref, thing: Thing): void;
  remove(ref: Ref): void;
  /** The text of `NAME.fail` beside the thing: a failure to be rehearsed. */
  failure(ref: Ref): string | undefined;
  /** The folder of a kind; made if it is not there. */
  folder(kind: string): string;
  /** The ref that a file of a kind's folder speaks of. */
  refOfFile(kind: string, file: string): Ref | undefined;
}

/** The world below a folder. */
export function thingsIn(dir: string, kinds: readonly string[]): Things {
  const pathOf = (ref: Ref, ending = 'json'): string =>
    join(dir, kindOf(ref), `${encodeURIComponent(nameOf(ref))}.${ending}`);
  const folder = (kind: string): string => {
    const path = join(dir, kind);
    makeDirectorySync(path);
    return path;
  };
  const refOfFile = (kind: string, file: string): Ref | undefined => {
    const name = /^([^.].*)\.(json|fail)$/.exec(file)?.[1];
    try {
      return name === undefined ? undefined : refOf(kind, decodeURIComponent(name));
    } catch {
      return undefined;
    }
  };
  const files = (kind: string): readonly string[] => {
    try {
      return fs.readdirSync(join(dir, kind));
    } catch {
      return [];
    }
  };
  let swept = false;
  /** What a killed process left half-written. */
  const sweep = (): void => {
    if (swept) return;
    swept = true;
    for (const kind of kinds)
      for (const file of files(kind)) if (file.endsWith(DRAFT)) fs.rmSync(join(dir, kind, file), { force: true });
  };
  return {
    get(ref) {
      try {
        return parse(fs.readFileSync(pathOf(ref), 'utf8'), pathOf(ref));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        return { why: asPlumbError(error).message };
      }
    },
    all: () =>
      kinds.flatMap((kind) =>
        files(kind).flatMap((file) => {
          const ref = file.endsWith('.json') ? refOfFile(kind, file) : undefined;
          return ref ? [ref] : [];
        }),
      ),
    put(ref, thing) {
      sweep();
      try {
        // nothing real is lost with it, and there are thousands
        replaceFileSync(pathOf(ref), `${JSON.stringify({ ref, ...thing }, null, 2)}\n`, {
          durable: false,
          mode: 0o666,
        });
      } catch (error) {
        throw asPlumbError(error, 'STORE_UNAVAILABLE', 'the simulated world cannot be written');
      }
    },
    remove: (ref) => {
      fs.rmSync(pathOf(ref), { force: true });
    },
    failure(ref) {
      try {
        return fs.readFileSync(pathOf(ref, 'fail'), 'utf8').trim();
      } catch {
        return undefined;
      }
    },
    folder,
    refOfFile,
  };
}

function parse(text: string, path: string): Thing | Unreadable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { why: `${path}: ${asPlumbError(error).message}; repair the file or remove it` };
  }
  const { owner, state, ready } = (value ?? {}) as Partial<Record<keyof Thing, unknown>>;
  if (typeof state !== 'object' || state === null || Array.isArray(state))
    return { why: `${path}: it has no "state" object; repair the file or remove it` };
  return {
    state: state as Thing['state'],
    ...(typeof owner === 'string' ? { owner } : {}),
    ...(typeof ready === 'boolean' ? { ready } : {}),
  };
}
