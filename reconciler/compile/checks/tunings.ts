import type { Resource, TuningSpec } from '../../model/catalog.ts';
import type { Origin } from '../../model/change.ts';
import { knobsOf } from '../../model/knobs.ts';
import { tuningsOf, zoneOf } from '../../model/tunings.ts';
import { byName, listed, place } from '../tables.ts';
import type { Clash, Tables } from '../tables.ts';

interface Setting {
  readonly tuning: string;
  readonly value: string;
  readonly at: Origin;
}

/** Two Tunings of the same priority that give one knob different values on one host. Equal values are no conflict. */
export function tuningClashes(tables: Tables): readonly Clash[] {
  if (tables.Tuning.size < 2) return [];
  const settings = new Map(byName(tables.Tuning).map(([name, tuning]) => [name, settingsOf(tuning)]));
  const hosts = new Map<string, { one: Setting; two: Setting; knob: string; names: string[] }>();
  for (const [host, resource] of byName(tables.Host)) {
    const set = new Map<string, Setting>();
    for (const { name, spec } of tuningsOf(tables.Tuning.values(), resource, zoneOf(tables.Zone, resource))) {
      for (const [knob, setting] of settings.get(name) ?? []) {
        const level = `${String(spec.priority)} ${knob}`;
        const first = set.get(level);
        if (first === undefined) set.set(level, setting);
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
    hint: 'make the values equal, give one of them a higher spec.priority, or let them select different hosts',
    holds: [`Tuning/${one.tuning}`, `Tuning/${two.tuning}`],
  }));
}

function settingsOf(tuning: Resource<TuningSpec>): ReadonlyMap<string, Setting> {
  return new Map(
    knobsOf(tuning).map(({ kind, key, value, origin: at }) => [
      kind === 'ovs-config' ? `other_config:${key}` : key,
      { tuning: tuning.name, value, at },
    ]),
  );
}
