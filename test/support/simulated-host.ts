import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { refOf, type Ref, kindOf, nameOf } from '../../reconciler/model/ref.ts';

/** A thing of a simulated host, as its file has it. */
export interface SimulatedThing {
  readonly ref: Ref;
  readonly owner?: string;
  readonly state: Readonly<Record<string, unknown>>;
}

/** The files of a simulated host, for people's hands and eyes. */
export interface SimulatedHost {
  get(ref: Ref): SimulatedThing | undefined;
  /** All of a kind, by name. */
  all(kind: string): ReadonlyMap<string, SimulatedThing>;
  put(thing: SimulatedThing): void;
  remove(ref: Ref): void;
  /** Changes members of the state of a thing that is there. */
  edit(ref: Ref, change: Readonly<Record<string, unknown>>): void;
  /** Everything with the times of its last change: equal texts mean that nobody wrote. */
  text(): string;
}

/** The simulated host below a state directory. */
export function simulatedHost(state: string): SimulatedHost {
  const dir = join(state, 'simulated');
  const pathOf = (ref: Ref): string => join(dir, kindOf(ref), `${encodeURIComponent(nameOf(ref))}.json`);
  const names = (kind: string): readonly string[] =>
    existsSync(join(dir, kind)) ? readdirSync(join(dir, kind)).sort() : [];
  const get = (ref: Ref): SimulatedThing | undefined =>
    existsSync(pathOf(ref)) ? (JSON.parse(readFileSync(pathOf(ref), 'utf8')) as SimulatedThing) : undefined;
  const put = (thing: SimulatedThing): void => {
    mkdirSync(join(dir, kindOf(thing.ref)), { recursive: true });
    writeFileSync(pathOf(thing.ref), JSON.stringify(thing));
  };
  return {
    get,
    put,
    all: (kind) =>
      new Map(
        names(kind).flatMap((file) => {
          const name = decodeURIComponent(file.replace(/\.json$/, ''));
          const thing = get(refOf(kind, name));
          return thing ? [[name, thing] as const] : [];
        }),
      ),
    remove: (ref) => rmSync(pathOf(ref), { force: true }),
    edit: (ref, change) => {
      const thing = get(ref);
      if (thing) put({ ...thing, state: { ...thing.state, ...change } });
    },
    text: () =>
      readdirSync(dir, { recursive: true, encoding: 'utf8' })
        .sort()
        .map((name) => join(dir, name))
        .filter((path) => statSync(path).isFile())
        .map((path) => `${path} ${String(statSync(path).mtimeMs)} ${readFileSync(path, 'utf8')}`)
        .join('\n'),
  };
}
