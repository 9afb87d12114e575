import fs from 'node:fs';
import { join } from 'node:path';
import { pathOf } from '../key.ts';
import { linesOf, type Line } from './lines.ts';

/** What a profile of tuned sets: the ref of the knob, its value where it is a plain one, and the line that says it. */
export interface TunedSetting {
  readonly ref: string;
  readonly value?: string;
  readonly at: string;
}

const HOMES = ['etc/tuned', 'etc/tuned/profiles', 'usr/lib/tuned', 'usr/lib/tuned/profiles'];

/** Options of tuned's plug-ins, and the knobs that they are. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  'cpu.governor': ['cpu.governor'],
  'cpu.energy_perf_bias': ['cpu.energyBias'],
  'cpu.energy_performance_preference': ['cpu.energyPreference'],
  'cpu.force_latency': ['cpu.maxIdleLatency'],
  'vm.transparent_hugepages': ['memory.hugepages'],
  'vm.transparent_hugepage': ['memory.hugepages'],
  'vm.transparent_hugepage.defrag': ['memory.hugepageDefrag'],
  'disk.elevator': ['disk.rotating.scheduler', 'disk.solid.scheduler'],
  'disk.readahead': ['disk.rotating.readAhead', 'disk.solid.readAhead'],
  'net.mtu': ['nic.mtu'],
  'net.txqueuelen': ['nic.txQueueLength'],
};
/** Their values are in other units or words than a Tuning's. */
const OTHERWISE = /^(cpu\.energyBias|cpu\.maxIdleLatency|disk\..*\.readAhead)$/;

/** The profiles in use, as `tuned-adm active` tells them; empty for none. */
export function activeProfiles(root: string): readonly string[] {
  try {
    return fs.readFileSync(join(root, 'etc/tuned/active_profile'), 'utf8').trim().split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

function settingsIn(section: string, { text, at }: Line): readonly TunedSetting[] {
  const [, key = '', said = ''] = /^([^=\s]+)\s*=\s*(.*)$/.exec(text) ?? [];
  // `>512` is at least, `a|b` the first that there is, `${x}` is worked out when it starts
  const plain = /[${}<>|]/.test(said) ? {} : { value: said.trim().replace(/^"(.*)"$/, '$1') };
  if (section === 'sysctl') return pathOf(key) === undefined ? [] : [{ ref: `sysctl/${key}`, at, ...plain }];
  const knobs = OPTIONS[`${section}.${key}`] ?? [];
  return knobs.map((knob) => ({ ref: `knob/${knob}`, at, ...(OTHERWISE.test(knob) ? {} : plain) }));
}

function profile(root: string, name: string, seen: Set<string>): readonly TunedSetting[] {
  if (seen.has(name) || name.includes('/')) return [];
  seen.add(name);
  const lines =
    HOMES.map((home) => linesOf(root, `${home}/${name}/tuned.conf`)).find((found) => found.length > 0) ?? [];
  let section = '';
  let type = '';
  return lines.flatMap((line): readonly TunedSetting[] => {
    const head = /^\[(.+)\]$/.exec(line.text)?.[1];
    if (head !== undefined) {
      [section, type] = [head, head];
      return [];
    }
    const [, key = '', value = ''] = /^([^=\s]+)\s*=\s*(.*)$/.exec(line.text) ?? [];
    if (section === 'main')
      return key === 'include' ? value.split(/[\s,;]+/).flatMap((other) => profile(root, other, seen)) : [];
    // a section may have a name of its own, and say of which plug-in it is
    if (key === 'type') type = value;
    return key === 'type' || key === 'devices' ? [] : settingsIn(type, line);
  });
}

/** What the profiles in use set; of a knob that several set the last counts. */
export function tunedSettings(root: string): readonly TunedSetting[] {
  const all = activeProfiles(root).flatMap((name) => profile(root, name, new Set()));
  return [...new Map(all.map((one) => [one.ref, one])).values()];
}
