import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemsText } from '../../../cli/problems.ts';
import { COMPILE_CODES } from '../../../reconciler/compile/codes.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { appWith, BROKEN_DOCUMENTS, networkOf, type BrokenCase } from '../../support/broken-documents.ts';
import { golden } from '../../support/golden.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

/** What is wrong with the Fleet, and between documents that are right by themselves. */
const BETWEEN: readonly BrokenCase[] = [
  { name: 'no fleet', files: { 'fleet.yaml': undefined }, codes: ['NO_FLEET'] },
  { name: 'two fleets', files: { 'x.yaml': manifest('Fleet', 'other') }, codes: ['MANY_FLEETS'] },
  {
    name: 'fleet',
    files: { 'fleet.yaml': manifest('Fleet', 'lab', 'intervals:\n  poll: 0s\nbudget:\n  deletions: 150%') },
    codes: ['BAD_VALUE'],
  },
  {
    name: 'fleet interval',
    files: { 'fleet.yaml': manifest('Fleet', 'lab', 'intervals:\n  poll: 10ms') },
    codes: ['BAD_VALUE'],
  },
  {
    name: 'same name',
    files: { 'x.yaml': manifest('App', 'web', 'image: b:1\nzone: main\nnetwork:\n  name: net') },
    codes: ['DUPLICATE_NAME'],
  },
  {
    name: 'same machine',
    files: { 'hosts/h3.yaml': manifest('Host', 'h3', 'machine:\n  hostname: h1') },
    codes: ['DUPLICATE_MACHINE'],
  },
  {
    name: 'dangling references',
    files: { 'x.yaml': appWith('').replace('zone: main', 'zone: mian').replace('name: net', 'name: backend') },
    codes: ['DANGLING_REFERENCE', 'DANGLING_REFERENCE'],
  },
  {
    name: 'host in two zones',
    files: { 'x.yaml': manifest('Zone', 'wide', 'hosts: {}') },
    codes: ['HOST_IN_TWO_ZONES', 'HOST_IN_TWO_ZONES'],
  },
  {
    name: 'network clashes',
    files: {
      'x.yaml': networkOf('other', 'vlan: 100\ncidr: 10.1.0.128/25\ndatapath: netdev\nuplink: eth1'),
      'y.yaml': networkOf('third', 'vlan: 300\ncidr: 10.3.0.0/24\ndatapath: netdev\nuplink: eth2\nbridge: br-b'),
      'z.yaml': networkOf('fourth', 'vlan: 301\ncidr: 10.4.0.0/24\ndatapath: netdev\nuplink: eth3\nbridge: br-b'),
    },
    codes: ['VLAN_CLASH', 'CIDR_CLASH', 'BRIDGE_CLASH', 'BRIDGE_CLASH'],
  },
  {
    name: 'too few addresses',
    files: {
      'network.yaml': networkOf(
        'net',
        'vlan: 100\ncidr: 10.1.0.0/29\ngateway: 10.1.0.1\nranges: [10.1.0.0/29]'.replace('0/29]', '2-10.1.0.4]'),
      ),
    },
    codes: ['TOO_FEW_ADDRESSES'],
  },
  {
    name: 'too large',
    files: {
      'hosts/h1.yaml': manifest(
        'Host',
        'h1',
        'capacity:\n  cpu: 2\n  memory: 1Gi\n  disk: 3Gi\n  spindles: 2',
        'labels:\n  pool: main',
      ),
      'hosts/h2.yaml': manifest(
        'Host',
        'h2',
        'performance: 1.5\ncapacity:\n  cpu: 4\n  disk: 2Gi\n  spindles: 1',
        'labels:\n  pool: main',
      ),
      'x.yaml': appWith(
        'resources:\n  cpu:\n    cores: 7\n  memory:\n    limit: 64Gi\n  disk:\n    size: 4Gi\n    spindles: 3',
      ),
    },
    codes: ['APP_TOO_LARGE', 'APP_TOO_LARGE', 'APP_TOO_LARGE'],
  },
  {
    name: 'zone rules',
    files: {
      'zone.yaml': manifest(
        'Zone',
        'main',
        'hosts:\n  matchLabels:\n    pool: main\nlevels: [0, 1]\nallowedHostPaths: [/srv/data]',
      ),
      'apps/shop/web.yaml': manifest(
        'App',
        'web',
        'image: a:1\nzone: main\nnetwork:\n  name: net\nlevel: 3\nvolumes:\n  - path: /a\n    host: /srv/database\n  - path: /b\n    host: /srv/data/b',
      ),
    },
    codes: ['LEVEL_NOT_IN_ZONE', 'LEVEL_NOT_IN_ZONE', 'VOLUME_NOT_ALLOWED'],
  },
  {
    name: 'a budget of a zone that lets nothing go',
    files: {
      'y.yaml': manifest('Zone', 'y', 'hosts: { matchLabels: { pool: y } }\ndisruption: { maxUnavailable: 0% }'),
      'z.yaml': manifest('Zone', 'z', 'hosts: { matchLabels: { pool: z } }\ndisruption: { maxUnavailable: 10% }'),
    },
    codes: ['BAD_VALUE'],
  },
  {
    name: 'affinity',
    files: {
      'x.yaml': appWith('affinity:\n  - { app: b, within: host }\n  - { app: none, within: rack }', 'a'),
      'y.yaml': appWith('affinity:\n  - { app: a, within: rack }\n  - { app: b, within: host }', 'b'),
      'z.yaml': appWith(
        'affinity:\n  - { app: web, within: host }\nantiAffinity:\n  - { app: web, within: rack }',
        'c',
      ),
      't.yaml': appWith('affinity:\n  - { app: f, within: rack }', 'e'),
      'u.yaml': appWith('affinity:\n  - { app: e, within: host }', 'f'),
      'v.yaml': manifest('Zone', 'far', 'hosts:\n  matchLabels: { pool: far }'),
      'w.yaml': appWith('affinity:\n  - { app: web, within: host }', 'd').replace('zone: main', 'zone: far'),
    },
    codes: ['AFFINITY_CLASH', 'AFFINITY_CLASH', 'DANGLING_REFERENCE', 'BAD_VALUE', 'AFFINITY_CLASH'],
  },
  {
    name: 'gang too large',
    files: {
      'x.yaml': appWith('gang: big\nreplicas: 600', 'x'),
      'y.yaml': appWith('gang: big\nreplicas: 401', 'y'),
      'z.yaml': appWith('gang: other\nreplicas: 1000', 'z'),
      'network.yaml': networkOf('net', 'vlan: 100\ncidr: 10.1.0.0/16'),
    },
    codes: ['GANG_TOO_LARGE'],
  },
  {
    name: 'processes that are counted together',
    files: { 'x.yaml': appWith('user: "10000:7"\nulimits: { nproc: 100 }'), 'y.yaml': appWith('user: "10000"', 'y') },
    codes: ['UID_SHARED'],
  },
  {
    name: 'tuning conflict',
    files: {
      'x.yaml': manifest(
        'Tuning',
        'base',
        'hosts: {}\nsysctls:\n  vm.swappiness: 10\n  net.ipv4.tcp_rmem: 4096  131072 6291456\nlimits:\n  pidMax: 1000\novs:\n  otherConfig:\n    max-idle: 501',
      ),
      'y.yaml': manifest(
        'Tuning',
        'more',
        'hosts:\n  matchLabels:\n    pool: main\nsysctls:\n  vm/swappiness: 20\n  net.ipv4.tcp_rmem: 4096 131072 6291456\n  kernel.pid_max: 2000\novs:\n  otherConfig:\n    max-idle: 502',
      ),
      'z.yaml': manifest('Tuning', 'self', 'hosts: {}\nsysctls:\n  kernel.pid_max: 1000\nlimits:\n  pidMax: 1001'),
    },
    codes: ['TUNING_CONFLICT', 'TUNING_CONFLICT', 'TUNING_CONFLICT', 'TUNING_CONFLICT'],
  },
  {
    name: 'tunings of priorities',
    files: {
      // of one priority they must agree, also where another wins over both
      'w.yaml': manifest('Tuning', 'top', 'hosts: {}\npriority: 10\nsysctls:\n  vm.swappiness: 1'),
      'x.yaml': manifest('Tuning', 'base', 'hosts: {}\nsysctls:\n  vm.swappiness: 10'),
      'y.yaml': manifest('Tuning', 'more', 'hosts: {}\nzone: main\nsysctls:\n  vm.swappiness: 20'),
      'z.yaml': manifest('Tuning', 'elsewhere', 'hosts: {}\nzone: mian\nsysctls:\n  vm.swappiness: 30'),
      'v.yaml': manifest(
        'Tuning',
        'amd',
        'hosts: {}\nhardware:\n  cpu:\n    vendor: AuthenticAMD\nsysctls:\n  vm.swappiness: 40',
      ),
    },
    codes: ['TUNING_CONFLICT', 'DANGLING_REFERENCE'],
  },
];

const CASES = [...BROKEN_DOCUMENTS, ...BETWEEN];

describe('problems of a repository', () => {
  it('none in the sound one', () => {
    assert.deepEqual(compile(sourceFiles(SOUND), 'r1').problems, []);
  });
  for (const { name, files, refused = [], codes } of CASES)
    it(name, () => {
      const all = Object.fromEntries(
        Object.entries({ ...SOUND, ...files }).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const { problems } = compile([...sourceFiles(all), ...refused], 'r1');
      golden(`compile/${name.replaceAll(' ', '-')}.txt`, problemsText(problems, false));
      assert.deepEqual(
        problems.map(({ code }) => code),
        codes,
      );
    });
  it('covers every code', () => {
    const seen = new Set(CASES.flatMap(({ codes }) => codes));
    const missing = Object.keys(COMPILE_CODES).filter((code) => !seen.has(code));
    // 10,000 files are made in held.test.ts, and what is asked for in place of a name is in choices.test.ts
    assert.deepEqual(missing, ['TOO_MANY_FILES', 'NONE_FITS', 'MANY_FIT']);
  });
});
