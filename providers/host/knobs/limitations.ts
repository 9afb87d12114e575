import type { Limitation } from '../../../reconciler/model/change.ts';
import type { Ref } from '../../../reconciler/model/ref.ts';
import type { KnobPlace, KnobState } from '../../../reconciler/model/resources.ts';
import { errnoIn, isLacking } from '../refusals.ts';

type Said = Pick<Limitation, 'state' | 'why' | 'want' | 'errno'>;

/** Why a file does not hold what it might be asked for; undefined where nothing is known against it. */
function saidOf({ value, errno, lacks, fixed, refused }: KnobPlace): Said | undefined {
  if (lacks !== undefined) return { state: 'Unsupported', why: lacks };
  if (errno !== undefined) {
    const state = errno === 'ENOENT' ? 'Unsupported' : 'Refused';
    return { state, why: `cannot be read (${errno}), so it is not written` };
  }
  if (fixed)
    return {
      state: 'Unsupported',
      why: `its driver never changes it from ${value ?? ''}`,
      want: value === 'on' ? 'off' : 'on',
    };
  if (refused === undefined) return undefined;
  const { why, want } = refused;
  const name = errnoIn(why);
  return {
    state: isLacking(name) ? 'Unsupported' : 'Refused',
    why,
    want,
    ...(name === undefined ? {} : { errno: name }),
  };
}

/** What this machine cannot hold of a knob, the like of it together. */
export function limitationsOf(ref: Ref, { places = [] }: KnobState): readonly Limitation[] {
  const path = '/value';
  if (places.length === 0) return [{ ref, path, state: 'Unsupported', why: 'this machine has nothing that it sets' }];
  const groups = new Map<string, Said & { readonly names: string[] }>();
  for (const place of places) {
    const said = saidOf(place);
    if (said === undefined) continue;
    const like = JSON.stringify([said.why, said.want]);
    const group = groups.get(like) ?? { ...said, names: [] };
    group.names.push(place.name);
    groups.set(like, group);
  }
  return [...groups.values()].map(({ names, ...said }) => {
    const some = names.length > 2 ? `${names[0] ?? ''} and ${String(names.length - 1)} others` : names.join(' and ');
    return { ref, path, ...said, why: `${some}: ${said.why}` };
  });
}
