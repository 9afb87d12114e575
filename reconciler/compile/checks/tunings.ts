import { selects } from '../../model/catalog.ts';
import type { Resource, TuningSpec } from '../../model/catalog.ts';
import type { Origin } from '../../model/change.ts';
import { knobsOf } from '../../model/knobs.ts';
import { byName, listed, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

interface Setting {
  readonly tuning: string;
  readonly value: string;
  readonly at: Origin;
}

/** Two Tunings that give one knob different values on one host. Equal values are no conflict. */
export function tuningClashes(tables: Tables): readonly Clash[] {
  const tunings = byName(tables.Tuning).map(([, tuning]) => ({ tuning, knobs: settingsOf(tuning) }));
  const hosts = new Map<string, { one: Setting; two: Setting; knob: string; names: string[] }>();
  for (const [host, { labels }] of byName(tables.Host)) {
    const set = new Map<string, Setting>();
    for (const { tuning, knobs } of tunings) {
      if (!selects(tuning.spec.hosts, labels)) continue;
      for (const [knob, setting] of knobs) {
        const first = set.get(knob);
        if (first === undefined) set.set(knob, setting);
        else if (first.value !== setting.value) {
          const key = `${first.tuning} ${setting.tuning} ${knob}`;
          const clash = hosts.get(key) ?? { one: first, two: setting, knob, names: [] };
          clash.names.push(host);
          hosts.set(key, clash);
        }
      }
    }
  }
  return [...hosts.values()].map(({ one, two, knob, names }) => ({
    code: 'TUNING_CONFLICT',
    at: two.at,
    message: `Tuning ${two.tuning} sets ${knob} to ${two.value}, Tuning ${one.tuning} to ${one.value} (${place(one.at)}), both on ${listed(names)}`,
    hint: 'make the values equal, or let the Tunings select different hosts',
    holds: [`Tuning/${one.tuning}`, `Tuning/${two.tuning}`],
  }));
}

function settingsOf(tuning: Resource<TuningSpec>): ReadonlyMap<string, Setting> {
  return new Map(
    knobsOf(tuning).map(({ kind, key, value, origin: at }) => [
      kind === 'sysctl' ? key : `other_config:${key}`,
      { tuning: tuning.name, value, at },
    ]),
  );
}
