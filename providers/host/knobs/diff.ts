import type { Change, Desired, FieldDiff, Known } from '../../../reconciler/model/change.ts';
import type { KnobPlace, KnobSpec, KnobState } from '../../../reconciler/model/resources.ts';
import { meaningOf } from './rules.ts';

/** A file that says something else than it is to say, and does not refuse to. */
export interface Wrong {
  readonly place: KnobPlace;
  readonly have: string;
  readonly want: string;
}

/** What a file is to say by a value; the value itself where the files are not told apart. */
export function targetOf({ key, value }: KnobSpec, place: KnobPlace, at: number, free: string): string {
  return meaningOf(key)?.target(value, place, at, free) ?? value;
}

/** What a knob is set to: what it was told, where all files say so; else what all say, where they agree. */
export function commonOf(
  key: string,
  places: readonly KnobPlace[],
  free: string,
  told: string | undefined,
): string | undefined {
  const readable = places.flatMap((place, at) => (place.value === undefined ? [] : [{ place, at }]));
  const fits = (value: string): boolean =>
    readable.every(
      ({ place, at }) =>
        place.value === targetOf({ key, value }, place, at, free) ||
        place.refused?.target === targetOf({ key, value }, place, at, free),
    );
  if (readable.length > 0 && told !== undefined && fits(told)) return told;
  const values = new Set(readable.map(({ place }) => place.value));
  return values.size === 1 ? [...values][0] : undefined;
}

/** The files of a knob that are to be written. One that refused what it is to say is not among them. */
export function wrongOf(want: KnobSpec, { value, places, free = '' }: KnobState): readonly Wrong[] {
  if (!places)
    return value === undefined || value === want.value
      ? []
      : [{ place: { name: 'value', value }, have: value, want: want.value }];
  return places.flatMap((place, at) => {
    const target = targetOf(want, place, at, free);
    const is = place.value;
    if (is === undefined || is === target || place.fixed || place.refused?.target === target) return [];
    return [{ place, have: is, want: target }];
  });
}

/** Files that go from the same to the same are one field: `/policy0 and 79 others`. */
function grouped(wrong: readonly Wrong[]): readonly FieldDiff[] {
  const groups = new Map<string, { readonly first: Wrong; count: number }>();
  for (const one of wrong) {
    const key = JSON.stringify([one.have, one.want]);
    const group = groups.get(key) ?? { first: one, count: 0 };
    group.count += 1;
    groups.set(key, group);
  }
  return [...groups.values()].map(({ first: { place, have, want }, count }) => {
    const more = count === 1 ? '' : count === 2 ? ' and 1 other' : ` and ${String(count - 1)} others`;
    return { path: `/${place.name}${more}`, have, want };
  });
}

/** A knob of several files: those that differ are written; what is ours and nobody wants any more gets its originals back. */
export function diffKnob(
  want: Desired<KnobSpec> | undefined,
  have: Known<KnobState> | undefined,
): Change<KnobSpec> | undefined {
  if (!have) return undefined;
  const base = { ref: have.ref, provider: 'knobs', have: have.state, disruption: 'none' } as const;
  if (!want) {
    if (!have.owned) return undefined;
    const { value, original, places } = have.state;
    const back = places
      ? places.flatMap((place) =>
          place.original === undefined ? [] : [{ place, have: place.value ?? '', want: place.original }],
        )
      : [{ place: { name: 'value' }, have: value ?? '', want: original ?? '' }];
    return { ...base, verb: 'delete', fields: grouped(back), because: 'removed' };
  }
  const wrong = wrongOf(want.spec, have.state);
  if (wrong.length === 0) return undefined;
  return { ...base, verb: 'update', want: want.spec, fields: grouped(wrong), because: have.owned ? 'drift' : 'new' };
}
