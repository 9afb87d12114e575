import type { Known, Observed } from '../../../reconciler/model/change.ts';
import { CORES, formatCpus } from '../../../reconciler/model/cores.ts';
import { asPlumbError, PlumbError } from '../../../reconciler/model/errors.ts';
import { diffByRef, type Context, type Provider } from '../../../reconciler/model/provider.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../../reconciler/model/ref.ts';
import type { CoresState, KnobPlace, KnobSpec, KnobState } from '../../../reconciler/model/resources.ts';
import { ethtool, type Ethtool } from '../ethtool.ts';
import { disk, type Files } from '../files.ts';
import { remembered, treeAt } from '../inventory/tree.ts';
import { createRefusals, lasts, type Refusals } from '../refusals.ts';
import type { Asked, Rivals } from '../rivals/rivals.ts';
import { createWatches } from '../watches.ts';
import { cardsOf, isCardSetting } from './cards.ts';
import { commonOf, diffKnob, targetOf, wrongOf } from './diff.ts';
import { keptIn, type KeptKnob } from './kept.ts';
import { limitationsOf } from './limitations.ts';
import { ofDevices, ownerOf, underOf, withOwners } from './owners.ts';
import { freeCpus, isOfCards, placesOf, type Place, type Roots } from './places.ts';
import { meaningOf } from './rules.ts';
import { askedOf, idOf, isBack, shown, valuesOf } from './values.ts';

export interface KnobsOptions {
  /** Where proc and sys are mounted. */
  readonly procRoot?: string;
  readonly sysRoot?: string;
  /** The file that keeps what files said before they were first written. */
  readonly originalsFile: string;
  readonly files?: Files;
  /** Who else sets them. */
  readonly rivals?: Rivals;
  /** What this machine refused, of this provider and others. */
  readonly refusals?: Refusals;
  readonly program?: Ethtool;
  /** All that ethtool was asked for is asked for once in so many milliseconds. */
  readonly round?: number;
  /** Milliseconds in which settings of a card gather that are set by one program. */
  readonly linger?: number;
}

/** Knobs that keep off the CPUs that replicas have for themselves. */
const SHUNS_PINNED = /^(cpu\.workqueue|nic\.(interrupts|receiveSteering|transmitSteering))/;
/** Files of one knob that are watched; the others are seen by the resync. */
const WATCHED = 64;

/**
 * Knobs of the host that are files below /sys and /proc, several to a knob: a governor for each policy, a scheduler for each disk.
 * Settings of network cards that only ethtool knows count as files of one value.
 * What each said before is on disk before the first of them is written, and comes back when the knob leaves Git. A file that refuses for good
 * is marked with the errno and left alone (`refusals.ts`); where one may take it later, the knob fails, and is tried again.
 */
export function knobs(options: KnobsOptions): Provider<KnobSpec, KnobState> {
  const {
    procRoot = '/proc',
    sysRoot = '/sys',
    originalsFile,
    files = disk,
    rivals,
    refusals = createRefusals(),
  } = options;
  const { program = ethtool(), round = 60_000, linger = 20 } = options;
  const roots = { proc: treeAt(procRoot), sys: treeAt(sysRoot) };
  const cards = cardsOf(roots.sys, program, linger);
  const kept = keptIn(originalsFile, () => roots.proc.text('sys/kernel/random/boot_id') ?? '');
  const watches = createWatches(files, (ref) =>
    isOfCards(nameOf(ref))
      ? []
      : placesOf(roots, nameOf(ref))
          .slice(0, WATCHED)
          .map((place) => values.pathOf(idOf(place))),
  );
  const values = valuesOf({ procRoot, sysRoot, files, sys: roots.sys, cards, changed: tellOthers });
  const { read } = values;
  /** The machine as it is at one look: knobs ask for the same cards and CPUs again and again. */
  const asItIs = (): Roots => ({ proc: remembered(roots.proc), sys: remembered(roots.sys) });

  const idsOf = (key: string, at: Roots): readonly string[] => placesOf(at, key).map(idOf);

  /** Has read what of a knob has to be asked of a program. */
  const fill = (ids: readonly string[], at: Roots, { signal }: Context): Promise<void> =>
    cards.fill(ids.filter(isCardSetting), at.sys, signal);

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
    const seen = 'text' in said ? { ...said.driver, value: shown(key, said.text) } : said;
    const last = refusals.of(id, 'value' in seen ? seen.value : undefined, () => ({
      owner: ownerOf(at, id),
      under: underOf(at, id),
    }));
    const refused = last && { target: last.target, want: last.want, why: last.why };
    return {
      name: place.name,
      ...(place.about === undefined ? {} : { about: place.about }),
      ...seen,
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

  /** What others of the machine refused may be taken now, and what is set of the network beside cards. */
  function forgetOthers(own: ReadonlySet<string>): void {
    const ofCards = [...own].some((id) => isCardSetting(id) || id.startsWith('sys/class/net/'));
    refusals.forgetOthers((id) => (id.startsWith('sysctl/') ? ofCards && id.startsWith('sysctl/net') : !own.has(id)));
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
    const refused: { readonly id: string; readonly text: string; readonly lasts: boolean }[] = [];
    for (const { id, target, name } of todo) {
      const holder = holderOf(id, key, at);
      const why =
        holder === undefined ? await values.write(key, id, target, ctx.signal) : `it is set by knob/${holder}`;
      if (why === undefined) refusals.forget(id);
      else {
        const said = read(id);
        const says = 'text' in said ? shown(key, said.text) : undefined;
        const refusal = { target, want: want.value, why, says, owner: ownerOf(at, id), under: underOf(roots, id) };
        refusals.note(id, refusal);
        refused.push({ id, text: `${name}: ${why}`, lasts: lasts(refusal) });
      }
    }
    settle(
      want,
      mine,
      fresh,
      refused.map(({ id }) => id),
      at,
    );
    if (refused.length < todo.length) forgetOthers(new Set(ids.values()));
    const later = refused.find((one) => !one.lasts);
    const told = later ?? (refused.length === todo.length ? refused[0] : undefined);
    if (told) throw new PlumbError('KNOB_REFUSED', `${key} = ${want.value}: ${told.text}`, { key, value: want.value });
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
      const failed = await values.write(key, id, shown(key, text), ctx.signal, meaningOf(key)?.back?.(text) ?? text);
      // what others of the card keep from it comes when they let it
      if (failed === undefined || isBack(read(id), text)) continue;
      left[id] = text;
      why ||= `${id}: ${failed}`;
    }
    const own = new Set(Object.keys(mine.originals));
    for (const id of own) refusals.forget(id);
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

function sizeOf(knob: KeptKnob | undefined): number {
  return Object.keys(knob?.originals ?? {}).length;
}

/** What is said of originals that are let go. */
function othersOf(strangers: number): string {
  return strangers === 0
    ? ''
    : `; ${String(strangers)} originals forgotten, which were of a device that is not there any more`;
}
