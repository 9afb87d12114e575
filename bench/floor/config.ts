/** Open vSwitch's other_config:max-idle, as the acts change it and the bare watcher puts it back. */

/** What it is to be. */
export const MAX_IDLE = '15000';

/** What is heard of. */
export const MONITOR: object = { Open_vSwitch: { columns: ['other_config'], select: { initial: false } } };

/** Its value in a notification; undefined where that is about something else. */
export function idleIn(params: unknown): string | undefined {
  const [, tables] = params as [
    unknown,
    { Open_vSwitch?: Record<string, { new?: { other_config?: [string, unknown] } }> },
  ];
  for (const { new: row } of Object.values(tables.Open_vSwitch ?? {})) {
    const pairs = (row?.other_config?.[1] ?? []) as readonly (readonly [string, string])[];
    const found = pairs.find(([key]) => key === 'max-idle');
    if (found) return found[1];
  }
  return undefined;
}

/** The operation that sets it. */
export function setIdle(value: string): object {
  const mutations = [
    ['other_config', 'delete', ['set', ['max-idle']]],
    ['other_config', 'insert', ['map', [['max-idle', value]]]],
  ];
  return { op: 'mutate', table: 'Open_vSwitch', where: [], mutations };
}
