import { join } from 'node:path';
import type { Known, Observed } from '../../../reconciler/model/change.ts';
import { CORES, formatCpus } from '../../../reconciler/model/cores.ts';
import { asPlumbError, errnoOf, PlumbError } from '../../../reconciler/model/errors.ts';
import { diffByRef, type Context, type Provider } from '../../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../../reconciler/model/ref.ts';
import type { CoresState, KnobPlace, KnobSpec, KnobState } from '../../../reconciler/model/resources.ts';
import { ethtool, type Ethtool, type Setting } from '../ethtool.ts';
import { disk, type Files } from '../files.ts';
import { remembered, treeAt } from '../inventory/tree.ts';
import type { Asked, Rivals } from '../rivals/rivals.ts';
import { createWatches } from '../watches.ts';
import { cardsOf, isCardSetting } from './cards.ts';
import { choicesOf } from './choices.ts';
import { commonOf, diffKnob, targetOf, wrongOf } from './diff.ts';
import { keptIn, type KeptKnob } from './kept.ts';
import { limitationsOf } from './limitations.ts';
import { ofDevices, ownerOf, withOwners } from './owners.ts';
import { freeCpus, isOfCards, placesOf, type Place, type Roots } from './places.ts';
import { meaningOf } from './rules.ts';

export interface KnobsOptions {
  /** Where proc and sys are mounted. */
  readonly procRoot?: string;
  readonly sysRoot?: string;
  /** The file that keeps what files said before they were first written. */
  readonly originalsFile: string;
  readonly files?: Files;
  /** Who else sets them. */
  readonly rivals?: Rivals;
  readonly program?: Ethtool;
  /** All that ethtool was asked for is asked for once in so many milliseconds. */
  readonly round?: number;
  /** Milliseconds in which settings of a card gather that are set by one program. */
  readonly linger?: number;
}

/** Knobs that keep off the CPUs that replicas have for themselves. */
const SHUNS_PINNED = /^(cpu\.workqueue|nic\.(interrupts|receiveSteering|transmitSteering))/;
/** Refusals that another knob may be the reason of: of a depth the scheduler, of a preference the governor, of segmentation the checksums. */
const BY_OTHERS = /^(EBUSY|EINVAL|Could not change)\b/;

/** Files of one knob that are watched; the others are seen by the resync. */
const WATCHED = 64;

/**
 * Knobs of the host that are files below /sys and /proc, several to a knob: a governor for each policy, a scheduler for each disk.
 * Settings of network cards that only ethtool knows count as files of one value.
 * What each said before is on disk before the first of them is written, and comes back when the knob leaves Git. A file that refuses
 * is marked with the errno, and left alone until it is to say something else or the agent starts anew.
 */
export function knobs(options: KnobsOptions): Provider<KnobSpec, KnobState> {
  const { procRoot = '/proc', sysRoot = '/sys', originalsFile, files = disk, rivals } = options;
  const { program = ethtool(), round = 60_000, linger = 20 } = options;
  const roots = { proc: treeAt(procRoot), sys: treeAt(sysRoot) };
  const cards = cardsOf(roots.sys, program, linger);
  const kept = keptIn(originalsFile, () => roots.proc.text('sys/kernel/random/boot_id') ?? '');
  const refusals = new Map<string, Refusal>();
  const watches = createWatches(files, (ref) =>
    isOfCards(nameOf(ref))
      ? []
      : placesOf(roots, nameOf(ref))
          .slice(0, WATCHED)
          .map((place) => pathOf(idOf(place))),
  );
  /** The machine as it is at one look: knobs ask for the same cards and CPUs again and again. */
  const asItIs = (): Roots => ({ proc: remembered(roots.proc), sys: remembered(roots.sys) });

  const idOf = ({ root, path }: Pick<Place, 'root' | 'path'>): string => `${root}/${path}`;
  const pathOf = (id: string): string =>
    id.startsWith('proc/') ? join(procRoot, id.slice('proc/'.length)) : join(sysRoot, id.slice('sys/'.length));

  function read(id: string): Said {
    if (isCardSetting(id)) {
      const said = cards.said(id);
      if ('lacks' in said) return said;
      const { requested = said.value, ...driver } = said;
      return { text: said.value, driver, requested };
    }
    try {
      return { text: files.read(pathOf(id)) };
    } catch (error) {
      return { errno: errnoOf(error) };
    }
  }

  const idsOf = (key: string, at: Roots): readonly string[] => placesOf(at, key).map(idOf);

  /** Has read what of a knob has to be asked of a program. */
  const fill = (ids: readonly string[], at: Roots, { signal }: Context): Promise<void> =>
    cards.fill(ids.filter(isCardSetting), at.sys, signal);

  const shown = (key: string, text: string): string => meaningOf(key)?.shown(text) ?? text.trim();

  /** What is ours of a knob, of the devices that are there now. */
  function mineOf(key: string, at: Roots): KeptKnob | undefined {
    const all = kept.all().get(key);
    return all && ofDevices(at, all);
  }

  function keep(key: string, knob: KeptKnob, at: Roots): void {
    kept.put(key, withOwners(at, knob, kept.all().get(key)));
  }

  function lookAt(key: string, place: Place, mine: KeptKnob | undefined, at: Roots): KnobPlace {
    const id = idOf(place);
    const said = read(id);
    const original = mine?.originals[id];
    const last = refusals.get(id);
    const refused = last && last.owner === ownerOf(at, id) ? { target: last.target, why: last.why } : undefined;
    return {
      name: place.name,
      ...(place.about === undefined ? {} : { about: place.about }),
      ...('text' in said ? { ...said.driver, value: shown(key, said.text) } : said),
      ...(original === undefined ? {} : { original: shown(key, original) }),
      ...(refused === undefined ? {} : { refused }),
    };
  }

  function stateOf(key: string, found: readonly Place[], ctx: Context, at: Roots): KnobState {
    const mine = mineOf(key, at);
    const places = found.map((place) => lookAt(key, place, mine, at));
    const cores = ctx.world.get(CORES);
    if (cores?.known === false && SHUNS_PINNED.test(key))
      throw new PlumbError('CONFLICT', `${key}: which CPUs are pinned is not known: ${cores.why}`);
    const given = cores?.known === true ? Object.values((cores.state as CoresState).given) : [];
    const free = formatCpus(freeCpus(at, given));
    const value = commonOf(key, places, free, mine?.value);
    return { places, free, ...(value === undefined ? {} : { value }) };
  }

  /** Of a word that stands for another text in each file, whether one is what its file is to say; of what is not ours, what it says. */
  function asks(key: string, { places = [], free = '' }: KnobState, paths: readonly string[]): Asked {
    const value = kept.all().get(key)?.value;
    return (file, text) => {
      const at = paths.indexOf(file);
      const place = places[at];
      // of a card's setting others say `max` as well
      const says = place && isOfCards(key) ? targetOf({ key, value: text }, place, at, free) : shown(key, text);
      return says === (place && value !== undefined ? targetOf({ key, value }, place, at, free) : place?.value);
    };
  }

  function observeOne(ref: Ref, found: readonly Place[], ctx: Context, at: Roots): Known<KnobState> {
    const key = nameOf(ref);
    const state = stateOf(key, found, ctx, at);
    const limitations = limitationsOf(ref, state);
    const owned = kept.all().has(key);
    const paths = found.map(({ root, path }) => `/${root}/${path}`);
    const claims = rivals?.claimsOn(ref, paths, asks(key, state, paths)) ?? [];
    return {
      known: true,
      ref,
      owned,
      state,
      ...(limitations.length === 0 ? {} : { limitations }),
      ...(claims.length === 0 ? {} : { claims }),
    };
  }

  async function observeAny(ref: Ref, ctx: Context, at: Roots): Promise<Observed<KnobState>> {
    try {
      const found = placesOf(at, nameOf(ref));
      await fill(found.map(idOf), at, ctx);
      return observeOne(ref, found, ctx, at);
    } catch (error) {
      return { known: false, ref, why: asPlumbError(error).message };
    }
  }

  /** What others refused may be taken now. */
  function forgetOthers(own: ReadonlySet<string>): void {
    for (const [id, { why }] of refusals) if (!own.has(id) && BY_OTHERS.test(why)) refusals.delete(id);
  }

  /** Writes one file and reads it back; the errno or what it says instead, where it does not take it. */
  async function write(
    key: string,
    id: string,
    { signal }: Context,
    target: string,
    text = target,
  ): Promise<string | undefined> {
    if (isCardSetting(id)) {
      const before = read(id);
      const max = 'text' in before ? before.driver?.max : undefined;
      if (max !== undefined && Number(text) > max) return `${text} is more than ${String(max)}, the most that it takes`;
      const why = await cards.write(id, text, signal);
      tellOthers(key);
      // a program may end with an error because there was nothing left to change
      const now = read(id);
      if (why !== undefined && !('text' in now && shown(key, now.text) === target)) return why;
    } else
      try {
        files.write(pathOf(id), text);
      } catch (error) {
        const errno = errnoOf(error);
        const takes =
          errno === 'EINVAL' && id.startsWith('sys/') ? choicesOf(roots.sys, id.slice('sys/'.length)) : undefined;
        return takes === undefined ? errno : `${errno}: it takes ${takes}`;
      }
    const said = read(id);
    if (!('text' in said)) return said.errno;
    const now = shown(key, said.text);
    return now === target ? undefined : `it took ${target} and says ${now}`;
  }

  /** One setting of a card may have changed others, and how many queues it has. */
  function tellOthers(key: string): void {
    for (const ref of watches.refs()) if (ref.startsWith('knob/nic.') && nameOf(ref) !== key) watches.tell(ref);
  }

  /** The knob that holds a file already, if another than this one does. */
  function holderOf(id: string, key: string, at: Roots): string | undefined {
    for (const [other, knob] of kept.all())
      if (other !== key && id in knob.originals && id in ofDevices(at, knob).originals) return other;
    return undefined;
  }

  async function set(want: KnobSpec, ctx: Context): Promise<string> {
    const { key } = want;
    const at = asItIs();
    const found = placesOf(at, key);
    await fill(found.map(idOf), at, ctx);
    const state = stateOf(key, found, ctx, at);
    const ids = new Map(found.map((place) => [place.name, idOf(place)]));
    if (ids.size === 0) throw new PlumbError('KNOB_UNSUPPORTED', `${key}: this machine has nothing that it sets`);
    const todo = wrongOf(want, state).flatMap(({ place, want: target }) => {
      const id = ids.get(place.name);
      return id === undefined ? [] : [{ id, target, name: place.name }];
    });
    const mine = mineOf(key, at);
    const strangers = sizeOf(kept.all().get(key)) - sizeOf(mine);
    const fresh: Record<string, string> = {};
    for (const { id } of todo) {
      const said = read(id);
      if (mine?.originals[id] === undefined && holderOf(id, key, at) === undefined && 'text' in said)
        fresh[id] = askedOf(said);
    }
    keep(key, { value: want.value, originals: { ...fresh, ...mine?.originals } }, at);
    const refused: { readonly id: string; readonly text: string }[] = [];
    for (const { id, target, name } of todo) {
      const holder = holderOf(id, key, at);
      const why = holder === undefined ? await write(key, id, ctx, target) : `it is set by knob/${holder}`;
      if (why === undefined) refusals.delete(id);
      else {
        refusals.set(id, { target, why, owner: ownerOf(at, id) });
        refused.push({ id, text: `${name}: ${why}` });
      }
    }
    settle(
      want,
      mine,
      fresh,
      refused.map(({ id }) => id),
      at,
    );
    if (refused.length > 0 && refused.length === todo.length)
      throw new PlumbError('KNOB_REFUSED', `${key} = ${want.value}: ${refused[0]?.text ?? ''}`, {
        key,
        value: want.value,
      });
    if (refused.length < todo.length) forgetOthers(new Set(ids.values()));
    const some = refused.length === 0 ? '' : `; ${String(refused.length)} refused, as ${refused[0]?.text ?? ''}`;
    return `${String(todo.length - refused.length)} of ${String(ids.size)} files set to ${want.value}${some}${othersOf(strangers)}`;
  }

  /** What refused is not ours: it says what it said. */
  function settle(
    want: KnobSpec,
    before: KeptKnob | undefined,
    fresh: KeptKnob['originals'],
    refused: readonly string[],
    at: Roots,
  ): void {
    if (refused.length === 0) return;
    const taken = Object.entries(fresh).filter(([id, text]) => {
      const now = read(id);
      return !refused.includes(id) || !('text' in now) || askedOf(now) !== text;
    });
    const originals = { ...Object.fromEntries(taken), ...before?.originals };
    if (Object.keys(originals).length === 0) kept.put(want.key, undefined);
    else keep(want.key, { value: want.value, originals }, at);
  }

  async function restore(key: string, ctx: Context): Promise<string> {
    const at = asItIs();
    const mine = mineOf(key, at);
    if (!mine) return 'has no originals';
    const strangers = sizeOf(kept.all().get(key)) - sizeOf(mine);
    // a hand may have been at it since it was read
    cards.doubt(Object.keys(mine.originals).filter(isCardSetting));
    await fill(Object.keys(mine.originals), at, ctx);
    const left: Record<string, string> = {};
    let why = '';
    const listed = new Set(idsOf(key, at));
    for (const [id, text] of Object.entries(mine.originals)) {
      // the number of an interrupt that went is another device's by now
      if (id.startsWith('proc/irq/') && !listed.has(id)) continue;
      const now = read(id);
      const gone = 'errno' in now && ['ENOENT', 'ENOTDIR', 'ENODEV'].includes(now.errno);
      if (gone || isBack(now, text)) continue;
      const failed = await write(key, id, ctx, shown(key, text), meaningOf(key)?.back?.(text) ?? text);
      // what others of the card keep from it comes when they let it
      if (failed === undefined || isBack(read(id), text)) continue;
      left[id] = text;
      why ||= `${id}: ${failed}`;
    }
    const own = new Set(Object.keys(mine.originals));
    for (const id of own) refusals.delete(id);
    forgetOthers(own);
    if (why === '') {
      kept.put(key, undefined);
      return `originals of ${String(sizeOf(mine))} files put back${othersOf(strangers)}`;
    }
    keep(key, { value: mine.value, originals: left }, at);
    throw new PlumbError('KNOB_REFUSED', `${key}: an original does not come back: ${why}`, { key });
  }

  /** Nothing tells that a setting of a card was changed by hand, so they are read in turn. */
  async function takeTurns(signal: AbortSignal): Promise<void> {
    await cards.turns(
      round,
      (start) => {
        const at = asItIs();
        for (const ref of watches.refs())
          if (idsOf(nameOf(ref), at).some((id) => id.startsWith(start))) watches.tell(ref);
      },
      signal,
    );
  }

  return {
    name: 'knobs',
    kinds: ['knob'],
    async observe(ctx, refs) {
      const ours = (): readonly Ref[] => [...kept.all().keys()].map((key) => refOf('knob', key));
      const wanted = (ctx.wanted ?? []).filter((ref) => kindOf(ref) === 'knob');
      const asked = refs ?? [...new Set([...wanted, ...ours()])];
      const at = asItIs();
      if (refs === undefined) {
        watches.keep(asked);
        cards.keep(asked.flatMap((ref) => idsOf(nameOf(ref), at)).filter(isCardSetting));
      }
      for (const ref of asked) watches.add(ref);
      const seen: Observed<KnobState>[] = [];
      for (const ref of asked) seen.push(await observeAny(ref, ctx, at));
      return seen;
    },
    diff: diffByRef(diffKnob),
    async apply({ ref, verb, want }, ctx) {
      const key = nameOf(ref);
      const did = verb === 'delete' || !want ? await restore(key, ctx) : await set(want, ctx);
      return { did: `${key}: ${did}`, observed: await observeAny(ref, ctx, asItIs()) };
    },
    async *watch(ctx) {
      const turns = new AbortController();
      void takeTurns(AbortSignal.any([ctx.signal, turns.signal]));
      try {
        yield* watches.hints(ctx);
      } finally {
        turns.abort();
      }
    },
  };
}

/** What a file says, for a card's setting with what its driver says of it; or why it cannot be read. */
type Said =
  | { readonly text: string; readonly driver?: Omit<Setting, 'requested'>; readonly requested?: string }
  | { readonly errno: string; readonly lacks?: string };

/** What a file was last told, where that is known to be another thing than it says. */
function askedOf({ text, requested = text }: Extract<Said, { readonly text: string }>): string {
  return requested;
}

function isBack(said: Said, original: string): boolean {
  return 'text' in said && askedOf(said) === original;
}

/** What a file would not take, and which device it was about. */
type Refusal = NonNullable<KnobPlace['refused']> & { readonly owner: string | undefined };

function sizeOf(knob: KeptKnob | undefined): number {
  return Object.keys(knob?.originals ?? {}).length;
}

/** What is said of originals that are let go. */
function othersOf(strangers: number): string {
  return strangers === 0
    ? ''
    : `; ${String(strangers)} originals forgotten, which were of a device that is not there any more`;
}
