import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FIELDS, KNOBS } from '../../providers/cgroups/knobs.ts';
import { treeAt } from '../../providers/host/inventory/tree.ts';
import { FLAGS, type Group } from '../../providers/host/ethtool.ts';
import { placesOf, type Place } from '../../providers/host/knobs/places.ts';
import { MEANINGS } from '../../providers/host/knobs/rules.ts';
import { LIMITS } from '../../reconciler/model/knobs.ts';
import { fakeTree } from '../support/cgroup-tree.ts';
import { schemaOf, type Schema } from '../support/from-schema.ts';
import { golden } from '../support/golden.ts';
import { HARDWARE, plant } from '../support/hardware.ts';

const DOCS = fileURLToPath(new URL('../../../docs', import.meta.url));
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

/** Fields of the schema, by the last part of their path. */
function leaves(schema: Schema, path: string): readonly (readonly [string, string])[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    [name, `${path}.${name}`] as const,
    ...leaves(field, `${path}.${name}`),
  ]);
}

/** Limits that the manifest calls otherwise. */
const CALLED: Readonly<Record<string, string>> = {
  memory: 'spec.resources.memory.limit',
  hugetlb2M: 'spec.resources.memory.hugepages.2Mi',
  hugetlb1G: 'spec.resources.memory.hugepages.1Gi',
};

function fieldOf(limit: string): string {
  const spec = schemaOf('app').properties?.['spec'] ?? {};
  const found = leaves(spec, 'spec').find(([name]) => name === limit)?.[1];
  return CALLED[limit] ?? found ?? assert.fail(`no field of an App sets ${limit}: name it in CALLED`);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')}\n`;
}

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ');

/** Not a file of the cgroup, but of each process in it. */
const OF_PROCESSES: Readonly<Record<string, string>> = {
  oom_score_adj: '/proc/PID/oom_score_adj',
  sched_policy: '/proc/PID/task/TID/stat (sched_setscheduler)',
};

function limitRows(): readonly (readonly string[])[] {
  const names = (version: 'v1' | 'v2'): ReadonlySet<string> => {
    const root = fakeTree(version, 'docker/a');
    folders.push(root);
    return new Set(fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => path.replace(/^.*\//, '')));
  };
  const there = { v1: names('v1'), v2: names('v2') };
  return FIELDS.map((field) => {
    const files = (version: 'v1' | 'v2'): string => {
      const all = KNOBS.filter((knob) => knob.field === field).flatMap((knob) => knob.files);
      const own = all.filter((file) => file in OF_PROCESSES || there[version].has(file));
      return code([...new Set(own)].map((file) => OF_PROCESSES[file] ?? file));
    };
    const [v1, v2] = [files('v1'), files('v2')];
    assert.ok(v1 + v2 !== '', `${field}: no fake cgroup tree has its files`);
    return [`\`${field}\``, `\`${fieldOf(field)}\``, v1 || 'Unsupported', v2 || 'Unsupported'];
  });
}

/** A path with a star for what there are several of; of a card's setting the program that knows it. */
function pattern({ root, path }: Place): string {
  const [, group = '', name = ''] = path.split('/');
  if (root === 'nic') return `ethtool ${FLAGS[group as Group][1]} * ${name}`;
  return `/${root}/${path}`
    .replace(/\/(policy|cpu|state|rx-|tx-)\d+/g, '/$1*')
    .replace(/(block|class\/net|irq)\/[^/]+/, '$1/*')
    .replace('cpu*/cpufreq', 'cpu/cpufreq');
}

function hostRows(): readonly (readonly string[])[] {
  const roots = Object.values(HARDWARE).map((files) => {
    const root = fs.mkdtempSync(join(tmpdir(), 'knobs-table-'));
    folders.push(root);
    plant(root, files);
    return { proc: treeAt(join(root, 'proc')), sys: treeAt(join(root, 'sys')) };
  });
  return Object.keys(MEANINGS).map((key) => {
    const places = roots.flatMap((tree) => placesOf(tree, key));
    const files = [...new Set(places.map(pattern))];
    assert.ok(files.length > 0, `${key}: no machine of test/support/hardware.ts has it`);
    const field = key.replace(/^disk/, 'disks').replace(/^nic/, 'nics[]');
    return [`\`knob/${key}\``, `\`spec.${field}\``, code(files)];
  });
}

const INTRO = `# Knobs

<!-- Made from the registries by \`npm run update\`. Do not edit. -->

Every value that Plumbline has the kernel or a daemon hold, in one list. Each is observed, written, read back and watched, and is in one of five states, which
\`plumb status\` tells where it is not the first:

| state | meaning |
|---|---|
| \`InSync\` | it is as Git says |
| \`Drifted\` | it differs, and is not put right at once: it waits, its change fails, or somebody fights for it |
| \`Unsupported\` | this kernel or machine has no such thing |
| \`Refused\` | the kernel did not take the value, with its errno. What it would say again (EINVAL, ERANGE, EOPNOTSUPP, EIO, EPERM, EACCES) is left alone until Git says another value, the file or card says another one, what may be the reason of an EINVAL was set, or the agent starts anew, as after a boot. What passes (EBUSY, EAGAIN, ENOMEM, ENOSPC, EROFS), and a limit of a replica, is tried again after pauses that grow to 5 min |
| \`NeedsRestart\` | it is set, and counts once a daemon was restarted |

Where something else on the machine sets it as well (sysctl.d, tmpfiles.d, \`.link\` files, udev rules, ifupdown, NetworkManager, systemd-networkd, netplan, tuned, irqbalance, Docker, systemd), \`plumb status\` and \`plumb explain host/NAME KNOB\` name who, and what leaves it to
Git; \`plumb host facts\` lists all who set knobs there. [manifests.md](manifests.md) says what each field may be.
`;

it('docs/knobs.md lists every knob that there is', () => {
  const limits = Object.entries(LIMITS).map(([name, key]) => [
    `\`sysctl/${key}\``,
    `\`spec.limits.${name}\``,
    `\`/proc/sys/${key.replaceAll('.', '/')}\``,
  ]);
  limits.push(['`sysctl/vm.min_free_kbytes`', '`spec.memory.minFree`', '`/proc/sys/vm/min_free_kbytes`, a share of the memory of each host']);
  const text = [
    INTRO,
    '## Limits of a replica (App)\n',
    'They live and die with the cgroup of the container: nothing is to be given back. All change in place, without a restart.\n',
    table(['limit', 'field', 'cgroup v1', 'cgroup v2'], limitRows()),
    '## Sandboxes (App)\n',
    table(
      ['knob', 'field', 'file'],
      [['a sysctl of its network namespace', '`spec.sysctls`', '`/proc/sys/net/…`, read in turn within a minute, since nothing tells of a change']],
    ),
    '## Files and network cards of a host (Tuning)\n',
    'What each file said before is kept, and comes back byte for byte when the knob leaves Git.\n',
    table(['knob', 'field', 'files'], hostRows()),
    '## Kernel parameters (Tuning)\n',
    table(['knob', 'field', 'file'], [['`sysctl/NAME`', '`spec.sysctls.NAME`', '`/proc/sys/NAME`'], ...limits]),
    '## Memory that is given back (App, Tuning)\n',
    'No values but actions: where too much only caches, for a while, and in a time in which no other host of the Zone does so. What was given back last is in `plumb status app/…` and `host/…`.\n',
    table(
      ['action', 'field', 'cgroup v1', 'cgroup v2'],
      [
        ['`memory/REPLICA`', '`spec.resources.memory.reclaim`', '`memory.force_empty`', '`memory.reclaim` (Linux 5.19)'],
        ['`memory/host`', '`spec.memory.reclaim`', ...Array<string>(2).fill('`/proc/sys/vm/drop_caches`, after the replicas that have a rule')],
      ],
    ),
    '## Open vSwitch (Tuning)\n',
    table(['knob', 'field', 'where'], [
      ['`ovs-config/KEY`', '`spec.ovs.otherConfig.KEY`', '`other_config:KEY` of the Open_vSwitch table'],
      ...['mac-aging-time', 'mac-table-size'].map((key) => [
        `\`ovs-config/${key}[bridge=NAME]\``,
        `\`spec.ovs.bridges.NAME.${key}\``,
        `\`other_config:${key}\` of the bridge`,
      ]),
    ]),
  ].join('\n');
  golden('knobs.md', text, DOCS);
});
