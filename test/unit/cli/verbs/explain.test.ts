import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainCommand } from '../../../../cli/verbs/explain.ts';
import type { Io } from '../../../../cli/io.ts';
import { renderWhole } from '../../../../cli/verbs/status.ts';
import { narrowed } from '../../../../reconciler/loop/status/part.ts';
import { statusOf } from '../../../../reconciler/loop/status/whole.ts';
import { PlumbError } from '../../../../reconciler/model/errors.ts';
import { UNKNOWN_FACTS } from '../../../../reconciler/model/protocol.ts';
import type { Report } from '../../../../reconciler/model/replica.ts';
import { manifest, SOUND } from '../../../support/manifests.ts';
import { answering, speak, type Spoken } from '../../../support/verb.ts';

const PLAIN = { color: false } as Io;
const REPORT: Report = {
  host: 'h1',
  generation: 1,
  revision: 'r',
  at: 0,
  facts: { ...UNKNOWN_FACTS },
  replicas: [],
  observed: [{ known: true, ref: 'sysctl/vm.swappiness', owned: true, state: { value: '60' } }],
  limitations: [
    {
      ref: 'sysctl/vm.x',
      path: '/value',
      state: 'Unsupported',
      why: 'this kernel has no such knob',
      fix: 'modprobe x',
    },
  ],
  conflicts: [
    {
      ref: 'sysctl/vm.swappiness',
      by: '/etc/sysctl.d/9.conf:2',
      when: 'at the next boot',
      value: '60',
      fix: 'remove it',
    },
  ],
  conditions: [],
};
const NOTHING = {
  snapshot: { cursor: 0, hosts: new Map(), placements: new Map(), addresses: new Map() },
  assignments: [],
  reports: [],
  hidden: [],
};

const SHOP = fileURLToPath(new URL('../../../../../examples/manifests/shop', import.meta.url));

describe('explain', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-explain-'));
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const explain = (replica: string): Promise<Spoken> =>
    speak(explainCommand, dir, replica, '--repo', SHOP, '--simulated', '--host', 'h1');

  it('shows scores as columns', async () => {
    const { code, out } = await explain('web-0');
    assert.equal(code, 0);
    assert.match(out, /\nCANDIDATE +SWITCH +RACK +HOST +FILL\nh1( +[\d.]+){4}\n/);
  });

  for (const { replica, says } of [
    { replica: 'web', says: /no App in Git has a replica web, but web-0…2; plumb explain app\/web tells of the App$/ },
    { replica: 'app/wbe', says: /no App wbe in Git; did you mean app\/web\?$/ },
    { replica: 'h1', says: /h1 is a host: write host\/h1$/ },
    {
      replica: 'zone/main',
      says: /zone\/main is nothing to explain: write a replica, as web-0, app\/NAME or host\/NAME$/,
    },
    { replica: 'wbe-0', says: /no App in Git has a replica wbe-0; did you mean web-0\?/ },
    { replica: 'web-9', says: /there are api-0…1, web-0…2, worker-0$/ },
  ])
    it(`says what there is instead of ${replica}`, async () => {
      await assert.rejects(explain(replica), { code: 'USAGE', message: says });
    });
});

describe('explain of a knob that somebody else sets', () => {
  const dir = answering({ known: () => Promise.resolve(NOTHING), reports: () => Promise.resolve([REPORT]) });
  before(() => {
    const tuning = manifest('Tuning', 'base', 'hosts: {}\nsysctls:\n  vm.swappiness: 10\n  vm.x: 1');
    for (const [path, text] of Object.entries({ ...SOUND, 'base.yaml': tuning })) {
      mkdirSync(join(dir, 'repo', path, '..'), { recursive: true });
      writeFileSync(join(dir, 'repo', path), text);
    }
  });

  it('names who, and what leaves it to Git', async () => {
    const { code, out } = await speak(explainCommand, dir, 'host/h1', 'vm.swappiness', '--repo', join(dir, 'repo'));
    assert.equal(code, 0);
    assert.match(
      out,
      /\nconflict: sysctl\/vm\.swappiness: \/etc\/sysctl\.d\/9\.conf:2 sets it to 60 at the next boot \(remove it\)\n$/,
    );
    const other = await speak(explainCommand, dir, 'host/h1', 'vm.x', '--repo', join(dir, 'repo'));
    assert.doesNotMatch(other.out, /conflict/);
  });

  it('says what the host says now, why that is not what is asked for, and what mends it', async () => {
    const of = (...knob: readonly string[]): Promise<Spoken> =>
      speak(explainCommand, dir, 'host/h1', ...knob, '--repo', join(dir, 'repo'));
    assert.match((await of('vm.swappiness')).out, /\nh1 says 60\nconflict: /);
    const said = 'on h1: Unsupported, this kernel has no such knob; mend: modprobe x';
    assert.ok((await of('vm.x')).out.endsWith(`\n${said}\n`));
    const all = (await of()).out;
    assert.match(all, new RegExp(`\nsysctl/vm.x: ${said}\n`));
    assert.doesNotMatch(all, /says 60/, 'of all knobs only those that are not as they are to be');
    const { standing } = JSON.parse((await of('vm.x', '-o', 'json')).out) as { readonly standing: unknown };
    assert.deepEqual(standing, [
      { knob: 'sysctl/vm.x', state: 'Unsupported', why: 'this kernel has no such knob', fix: 'modprobe x' },
    ]);
  });

  it('is in the status, of its host and of all', () => {
    const status = statusOf({
      notice: undefined,
      hosts: new Map(),
      placements: new Map(),
      assignments: new Map(),
      reports: new Map([['h1', REPORT]]),
    });
    const line = /\nconflict: sysctl\/vm\.swappiness: \/etc\/sysctl\.d\/9\.conf:2 sets it to 60 .*, on h1\n/;
    assert.match(renderWhole(status, PLAIN), line);
    const about = { host: 'h1' } as (typeof status.hosts)[number];
    const part = (stalled?: true): readonly string[] => {
      const { sync, health } = narrowed(status, [], { hosts: [stalled ? { ...about, stalled } : about] });
      return [sync, health];
    };
    assert.deepEqual(
      [part(), part(true)],
      [
        ['Synced', 'Healthy'],
        ['OutOfSync', 'Degraded'],
      ],
    );
    assert.equal(narrowed(status, [], { hosts: [about] }).conflicts?.length, 1);
    assert.equal(narrowed(status, [], { hosts: [{ ...about, host: 'h2' }] }).conflicts, undefined);
  });
});

describe('explain of a knob beside something that cannot be asked', () => {
  const dir = answering({ reports: () => Promise.reject(new PlumbError('STORE_UNAVAILABLE', 'no store')) });
  before(() => {
    const tuning = manifest('Tuning', 'base', 'hosts: {}\nsysctls:\n  vm.swappiness: 10');
    for (const [path, text] of Object.entries({ ...SOUND, 'base.yaml': tuning })) {
      mkdirSync(join(dir, 'repo', path, '..'), { recursive: true });
      writeFileSync(join(dir, 'repo', path), text);
    }
  });

  it('says what Git says, and that it does not know who else sets it', async () => {
    const { code, out, err } = await speak(
      explainCommand,
      dir,
      'host/h1',
      'vm.swappiness',
      '--repo',
      join(dir, 'repo'),
    );
    assert.equal(code, 0);
    assert.match(out, /^sysctl\/vm\.swappiness of h1 is to be 10/);
    assert.equal(err, 'whether something else sets it is not known, as what runs cannot be asked: no store\n');
  });
});

describe('explain of a knob', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-explain-'));
  before(() => {
    const sysctls = (value: number): string => `sysctls:\n  vm.swappiness: ${String(value)}`;
    const files = {
      ...SOUND,
      'hosts/h3.yaml': manifest('Host', 'h3', '{}', 'labels:\n  pool: spare'),
      'base.yaml': manifest('Tuning', 'base', `hosts: {}\n${sysctls(60)}`),
      'main.yaml': manifest('Tuning', 'main', `hosts: {}\nzone: main\npriority: 5\n${sysctls(10)}`),
      'amd.yaml': manifest(
        'Tuning',
        'amd',
        `hosts: {}\npriority: 9\nhardware:\n  cpu:\n    vendor: AuthenticAMD\n${sysctls(1)}\novs:\n  otherConfig:\n    max-idle: 5000`,
      ),
    };
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
  });
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const explain = (...argv: readonly string[]): Promise<Spoken> => speak(explainCommand, dir, ...argv, '--repo', dir);

  it('says which Tuning wins, and why the others do not', async () => {
    const { code, out } = await explain('host/h1', 'vm.swappiness');
    assert.equal(code, 0);
    assert.match(out, /^sysctl\/vm\.swappiness of h1 is to be 10: Tuning main, main\.yaml:\d+\n/);
    assert.match(
      out,
      /\nmain +5 +10 +main\.yaml:\d+ +wins\nbase +0 +60 +base\.yaml:\d+ +gives way: of lower priority\n/,
    );
    assert.match(
      out,
      /\namd +9 +1 .*does not concern it: spec\.hardware is asked for, and its Host document has none\n$/,
    );
  });

  it('says so where none sets it', async () => {
    const { code, out } = await explain('host/h1', 'ovs-config/max-idle');
    assert.equal(code, 2);
    assert.match(out, /^ovs-config\/max-idle of h1 is left as it is/);
  });

  it('says so of one of which no Tuning says anything, and what was meant', async () => {
    const { code, out } = await explain('host/h1', 'vm.swapiness');
    assert.deepEqual([code, out], [2, 'no Tuning sets vm.swapiness; did you mean vm.swappiness?\n']);
    const said = JSON.parse((await explain('host/h1', 'no.such', '-o', 'json')).out) as { readonly knobs: unknown };
    assert.deepEqual(said.knobs, [{ host: 'h1', knob: 'no.such', contenders: [] }]);
  });

  it('names Tunings that are not right, and files that cannot be read: what they set stays', async () => {
    const tuning = join(dir, 'main.yaml');
    const sound = readFileSync(tuning, 'utf8');
    try {
      writeFileSync(tuning, sound.replace('priority: 5', 'priority: high'));
      const { out } = await explain('host/h1', 'vm.swappiness');
      assert.match(out, /^sysctl\/vm\.swappiness of h1 is to be 60: Tuning base/);
      assert.match(out, /\nTuning main is not right: what it sets stays as it was\nuntil all files are right /);
      writeFileSync(tuning, 'a: [');
      assert.match(
        (await explain('host/h1')).out,
        /\nuntil all files are right \(plumb validate\), knobs that no Tuning sets any more stay as they were\n$/,
      );
    } finally {
      writeFileSync(tuning, sound);
    }
    assert.doesNotMatch((await explain('host/h1')).out, /stays as it was/);
  });

  it('lists all that is set, and gives all to programs', async () => {
    assert.match((await explain('host/h3')).out, /\nsysctl\/vm\.swappiness +60 +base +0 /);
    const said = JSON.parse((await explain('host/h1', '-o', 'json')).out) as {
      readonly knobs: readonly { readonly knob: string; readonly value: string }[];
    };
    assert.deepEqual(
      said.knobs.map(({ knob, value }) => [knob, value]),
      [['sysctl/vm.swappiness', '10']],
    );
  });

  for (const { argv, says } of [
    { argv: ['host/h11'], says: /no Host h11 in Git; did you mean h1/ },
    { argv: ['web-0', 'vm.swappiness'], says: /plumb explain host\/NAME vm\.swappiness/ },
  ])
    it(`refuses ${argv.join(' ')} with the mend`, async () => {
      await assert.rejects(explain(...argv), { code: 'USAGE', message: says });
    });
});
