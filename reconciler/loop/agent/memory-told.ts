import type { Observed } from '../../model/change.ts';
import type { MemoryState, MemoryUse } from '../../model/memory.ts';
import { kindOf, nameOf } from '../../model/ref.ts';
import type { Report } from '../../model/replica.ts';

/** Of what there is, so much must have changed before all is told anew: memory moves all the time, and a Report concerns the fleet. */
const NEWS = 0.05;

/** Whether this is no news after that. */
function alike(now: MemoryUse, before: MemoryUse | undefined): boolean {
  if (before === undefined || now.total !== before.total || now.reclaimed?.at !== before.reclaimed?.at) return false;
  const moved = (key: 'counted' | 'used'): boolean => Math.abs(now[key] - before[key]) >= NEWS * now.total;
  return !moved('counted') && !moved('used');
}

/** How memory is used, by `host` or replica, as it is told; the same as before where nothing of it is news. */
export function memoryOf(observed: readonly Observed[], before: Report | undefined): Pick<Report, 'memory'> {
  const now: Record<string, MemoryUse> = {};
  for (const item of observed) {
    if (kindOf(item.ref) !== 'memory' || !item.known) continue;
    const { counted, used, total, reclaimed } = item.state as MemoryState;
    now[nameOf(item.ref)] = { counted, used, total, ...(reclaimed ? { reclaimed } : {}) };
  }
  const names = Object.keys(now);
  if (names.length === 0) return {};
  const last = before?.memory;
  const same =
    last !== undefined &&
    names.length === Object.keys(last).length &&
    Object.entries(now).every(([name, use]) => alike(use, last[name]));
  return { memory: same ? last : now };
}
