import type { App } from '../../../schemas/types.ts';
import { bytesOf, LONGEST_WINDOW, type ReclaimRule } from '../../model/memory.ts';
import { parseBytes, parseDuration } from '../../model/units.ts';
import { filled, type Say } from './say.ts';

/** Less often than once in this, milliseconds: what was given back is read again meanwhile. */
const SHORTEST_REST = 60_000;

/** A rule of a manifest in plain units; `name` is the member that says how much. A share stays as it is written. */
export function reclaimRule(
  { above, window, coolDown }: { readonly above: string | number; readonly window: string; readonly coolDown: string },
  pointer: string,
  name: string,
  say: Say,
): ReclaimRule {
  const isShare = typeof above === 'string' && above.endsWith('%');
  const rule = {
    above: isShare ? above : parseBytes(above),
    window: parseDuration(window),
    coolDown: parseDuration(coolDown),
  };
  if (Number.parseFloat(String(rule.above)) === 0)
    say(`${pointer}/${name}`, 'BAD_VALUE', `${name} cannot be 0: all would be given back at once`, 'as 20% or 512Mi');
  if (rule.window > LONGEST_WINDOW)
    say(`${pointer}/window`, 'BAD_VALUE', `a window of ${window} is too long`, 'at most 1d');
  if (rule.coolDown < SHORTEST_REST)
    say(`${pointer}/coolDown`, 'BAD_VALUE', `a coolDown of ${coolDown} is too short`, 'at least 1m');
  return rule;
}

/** When an App gives back its page cache, in bytes; undefined where nothing is said. */
export function appReclaim({ resources }: App['spec'], say: Say): ReclaimRule | undefined {
  const { reclaim, limit } = resources?.memory ?? {};
  if (!reclaim) return undefined;
  const pointer = '/spec/resources/memory/reclaim';
  const { above, window, coolDown } = reclaim;
  const rule = reclaimRule({ above, window: filled(window), coolDown: filled(coolDown) }, pointer, 'above', say);
  const most = parseBytes(filled(limit));
  const bytes = bytesOf(rule.above, most);
  if (bytes >= most) {
    const message = `a page cache of ${String(above)} does not fit into the limit of ${String(limit)}`;
    say(`${pointer}/above`, 'BAD_VALUE', message, 'less than spec.resources.memory.limit, as 50%');
  }
  return { ...rule, above: bytes };
}
