import type { Progress } from './rollout.ts';
import { counted } from '../model/words.ts';

/** Apps beyond these are counted, not named. */
const NAMED = 3;

/** The Zones whose budget keeps replicas from their turn, each with the Apps that wait: for people. */
export function fullZones(rollouts: readonly Progress[]): readonly string[] {
  const waits = new Map<string, Progress[]>();
  for (const one of rollouts) if (one.full !== undefined) waits.set(one.full, [...(waits.get(one.full) ?? []), one]);
  return [...waits].map(([full, apps]) => {
    const replicas = apps.reduce((sum, { waiting }) => sum + waiting.length, 0);
    const names = apps.slice(0, NAMED).map(({ app }) => app);
    const more = apps.length > NAMED ? ` and ${counted(apps.length - NAMED, 'more App')}` : '';
    return `${full}: ${counted(replicas, 'replica')} of ${names.join(', ')}${more} wait`;
  });
}
