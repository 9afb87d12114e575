import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { holdMachine, type GiveBack } from '../support/machine.ts';
import { base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

/** A knob that all of the machine shares: its file, the line of the Tuning, what the file says then, and what a hand makes of it. */
interface Shared {
  readonly file: string;
  readonly field: readonly [group: string, line: string];
  readonly says: RegExp;
  readonly hand: string;
}

const BLOCK = '/sys/block';
const disks = (fs.existsSync(BLOCK) ? fs.readdirSync(BLOCK) : []).filter(
  (name) => fs.existsSync(`${BLOCK}/${name}/device`) && !/^(sr|fd)\d/.test(name),
);
const [disk = ''] = disks;
const kind =
  disk !== '' && fs.readFileSync(`${BLOCK}/${disk}/queue/rotational`, 'latin1').trim() === '1' ? 'rotating' : 'solid';

const KNOBS: readonly Shared[] = [
  { file: '/proc/sys/fs/aio-max-nr', field: ['limits', 'aioMaxRequests: 1048575'], says: /^1048575$/, hand: '1048570' },
  {
    file: '/proc/sys/fs/inotify/max_user_instances',
    field: ['limits', 'inotifyInstances: 8191'],
    says: /^8191$/,
    hand: '8190',
  },
  { file: '/proc/sys/vm/stat_interval', field: ['sysctls', 'vm.stat_interval: 7'], says: /^7$/, hand: '3' },
  {
    file: '/proc/sys/vm/min_free_kbytes',
    field: ['memory', 'minFree: 0.5%'],
    says: /^(?!23456$)\d{4,}$/,
    hand: '23456',
  },
  {
    file: '/sys/kernel/mm/transparent_hugepage/enabled',
    field: ['memory', 'hugepages: never'],
    says: /\[never\]/,
    hand: 'madvise',
  },
  {
    file: '/sys/kernel/mm/transparent_hugepage/defrag',
    field: ['memory', 'hugepageDefrag: defer'],
    says: /\[defer\]/,
    hand: 'never',
  },
  {
    file: '/sys/devices/virtual/workqueue/cpumask',
    field: ['cpu', 'workqueue: "0"'],
    says: /^[0,]*1$/,
    hand: '3',
  },
  {
    file: `${BLOCK}/${disk}/queue/read_ahead_kb`,
    field: [`disks.${kind}`, 'readAhead: 320Ki'],
    says: /^320$/,
    hand: '64',
  },
  { file: `${BLOCK}/${disk}/queue/scheduler`, field: [`disks.${kind}`, 'scheduler: none'], says: /\[none\]/, hand: '' },
];

/** Those of this machine. */
const found = KNOBS.filter(({ file }) => fs.existsSync(file));
const files = found.map(({ file }) => file);
/** All that the Tuning below may set besides: it is about each disk and each CPU. */
const POLICIES = '/sys/devices/system/cpu/cpufreq';
const besides = [
  ...disks.flatMap((name) => ['read_ahead_kb', 'scheduler'].map((file) => `${BLOCK}/${name}/queue/${file}`)),
  ...(fs.existsSync(POLICIES) ? fs.readdirSync(POLICIES) : []).map((name) => `${POLICIES}/${name}/scaling_governor`),
].filter((file) => fs.existsSync(file));

/** A Tuning that sets these knobs. */
function tuning(knobs: readonly Shared[], more = ''): string {
  const groups = new Map<string, string[]>();
  for (const {
    field: [group, line],
  } of knobs)
    groups.set(group, [...(groups.get(group) ?? []), line]);
  const inner = [...groups]
    .filter(([group]) => !group.startsWith('disks'))
    .map(
      ([group, lines]) =>
        `  ${group}: { ${[...lines, ...(group === 'cpu' ? [more] : [])].filter(Boolean).join(', ')} }\n`,
    );
  const ofDisks = groups.get(`disks.${kind}`);
  const last = ofDisks ? `  disks: { ${kind}: { ${ofDisks.join(', ')} } }\n` : '';
  return `apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: machine }\nspec:\n  hosts: {}\n${inner.join('')}${last}`;
}

describe('knobs that all of a machine shares', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  let giveBack: GiveBack;
  const read = (file: string): string => fs.readFileSync(file, 'latin1');
  const all = (): readonly string[] => files.map(read);
  let original: readonly string[] = [];
  before(async () => {
    giveBack = await holdMachine([...new Set([...files, ...besides])]);
    original = all();
    stage = await setStage('machine', { ...base(), 'tuning.yaml': tuning(found, 'governor: performance') });
    await stage.up();
    await stage.converged(120);
  });
  after(async () => {
    await stage.down();
    await giveBack();
  });
  const becomes = async (what: string, good: () => boolean): Promise<void> => {
    for (const end = Date.now() + 120_000; !good(); await sleep(50)) assert.ok(Date.now() < end, what);
  };
  const held = (): readonly string[] =>
    found.filter(({ file, says }) => !says.test(read(file).trim())).map(({ file }) => file);

  it('say what is asked for', () => {
    assert.deepEqual(held(), []);
  });

  it('say so again after each was changed by hand', async () => {
    for (const { file, says, hand } of found.filter((knob) => knob.hand !== '')) {
      fs.writeFileSync(file, hand);
      await becomes(file, () => says.test(read(file).trim()));
    }
    await stage.converged(120);
  });

  it('that the machine has not are told, with the command or the place that sets it', async (test) => {
    if (fs.existsSync('/sys/devices/system/cpu/cpufreq/policy0')) {
      test.skip('frequencies scale here');
      return;
    }
    const { limitations } = await stage.status();
    const said = limitations.find(({ ref }) => ref === 'knob/cpu.governor');
    assert.equal(said?.state, 'Unsupported');
    assert.match(said.fix ?? '', /firmware/);
    const { out, err } = await stage.plumb('explain', 'host/h1', 'cpu.governor', '--repo', stage.repo);
    assert.match(out, /Unsupported.*firmware/, err);
  });

  it('come back byte for byte where they leave Git while nobody runs, killed in between', async () => {
    await stage.stop('SIGKILL');
    stage.commit({ 'tuning.yaml': undefined });
    await stage.up();
    await stage.stop('SIGKILL');
    await stage.up();
    await stage.converged(120);
    assert.deepEqual(all(), original);
  });
});
