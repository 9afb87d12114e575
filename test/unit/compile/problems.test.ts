import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemsText } from '../../../cli/problems.ts';
import { COMPILE_CODES } from '../../../reconciler/compile/codes.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import type { SourceFile } from '../../../reconciler/model/source.ts';
import { golden } from '../../support/golden.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

interface Case {
  readonly name: string;
  /** Files put over the sound repository; undefined takes one away. */
  readonly files: Readonly<Record<string, string | Uint8Array | undefined>>;
  readonly refused?: readonly SourceFile[];
  /** Codes in order of place. */
  readonly codes: readonly string[];
}

const app = (spec: string, name = 'x'): string =>
  manifest('App', name, `image: a:1\nzone: main\nnetwork:\n  name: net\n${spec}`);
const network = (name: string, spec: string): string => manifest('Network', name, spec);

const CASES: readonly Case[] = [
  { name: 'syntax', files: { 'x.yaml': 'a: [1, 2\nb: 3\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'unclosed quote', files: { 'x.yaml': 'apiVersion: "plumbline/v1\nkind: App\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'unquoted colon', files: { 'x.yaml': 'a: b: c\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'tab', files: { 'x.yaml': 'kind: App\nspec:\n\timage: a\n' }, codes: ['TAB_INDENT'] },
  { name: 'tag', files: { 'x.yaml': 'kind: !secret App\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'directive', files: { 'x.yaml': '%YAML 1.1\n---\nkind: yes\n' }, codes: ['YAML_SYNTAX'] },
  {
    name: 'duplicate key',
    files: { 'x.yaml': app('replicas: 1\nlevel: 1\nreplicas: 2') },
    codes: ['DUPLICATE_KEY'],
  },
  { name: 'key of the prototype', files: { 'x.yaml': app('env:\n  __proto__: x') }, codes: ['BAD_VALUE'] },
  { name: 'not UTF-8', files: { 'x.yaml': Buffer.from('a: gr\xfc\xdfe\n', 'latin1') }, codes: ['NOT_UTF8'] },
  { name: 'UTF-16', files: { 'x.yaml': Buffer.from('\ufeffkind: App\n', 'utf16le') }, codes: ['NOT_UTF8'] },
  {
    name: 'too many aliases',
    files: { 'x.yaml': `a: &a x\nb: [${'*a, '.repeat(101)}]\n` },
    codes: ['TOO_MANY_ALIASES'],
  },
  {
    name: 'bomb',
    files: {
      'x.yaml': `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
        .split('')
        .map(
          (key, at) =>
            `${key}: &${key} [${Array(9)
              .fill(`*${'abcdefgh'[at] ?? ''}`)
              .join(', ')}]\n`,
        )
        .join('')}`,
    },
    codes: ['TOO_MANY_ALIASES'],
  },
  { name: 'alias without anchor', files: { 'x.yaml': 'a: *b\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'too deep', files: { 'x.yaml': `a: ${'['.repeat(100)}` }, codes: ['TOO_DEEP'] },
  { name: 'too many documents', files: { 'x.yaml': '---\n# none\n'.repeat(1002) }, codes: ['TOO_LARGE'] },
  {
    name: 'refused',
    files: {},
    refused: [
      { path: 'a.yaml', blob: '1', bytes: undefined, refused: 'symlink' },
      { path: 'b', blob: '2', bytes: undefined, refused: 'submodule' },
      { path: 'c.yml', blob: '3', bytes: undefined, refused: 'too-large' },
      { path: 'd\ufffd.yml', blob: '4', bytes: undefined, refused: 'name' },
      { path: 'e.yaml', blob: '5', bytes: undefined, refused: 'unreadable' },
    ],
    codes: ['SYMLINK', 'SUBMODULE', 'TOO_LARGE', 'NOT_UTF8', 'UNREADABLE'],
  },
  {
    name: 'not manifests',
    files: { 'x.yaml': 'services:\n  web: {}\n---\napiVersion: apps/v1\nkind: Deployment\n---\n- 1\n---\njust text\n' },
    codes: ['NOT_A_MANIFEST', 'NOT_A_MANIFEST', 'NOT_A_MANIFEST', 'NOT_A_MANIFEST'],
  },
  {
    name: 'version and kind',
    files: {
      'x.yaml':
        'apiVersion: plumbline/v2\nkind: App\n---\napiVersion: plumline/v1\n---\nkind: App\n---\napiVersion: plumbline/v1\nkind: Aplication\n---\napiVersion: plumbline/v1\nkind: Netwrk\n---\napiVersion: plumbline/v1\n',
    },
    codes: ['UNKNOWN_VERSION', 'UNKNOWN_VERSION', 'MISSING_FIELD', 'UNKNOWN_KIND', 'UNKNOWN_KIND', 'MISSING_FIELD'],
  },
  {
    name: 'unknown fields',
    files: { 'x.yaml': app('replica: 3\nlimit: 64Mi\nresources:\n  cpu:\n    core: 1\ncontainers: []\n<<: {}') },
    codes: ['UNKNOWN_FIELD', 'UNKNOWN_FIELD', 'UNKNOWN_FIELD', 'UNKNOWN_FIELD', 'UNKNOWN_FIELD'],
  },
  {
    name: 'missing fields',
    files: { 'x.yaml': manifest('App', 'x', 'zone: main\nvolumes:\n  - path: /x\n    tmpfs: {}') },
    codes: ['MISSING_FIELD', 'MISSING_FIELD', 'MISSING_FIELD'],
  },
  {
    name: 'wrong types',
    files: {
      'x.yaml': app(
        'replicas: "3"\nenv:\n  DEBUG: true\n  PORT: 8080\nargs: -v\nstop:\n  grace: 10\nworkdir:\nspread: 1',
      ),
    },
    codes: Array<string>(7).fill('WRONG_TYPE'),
  },
  {
    name: 'bad values',
    files: {
      'x.yaml': app(
        'level: 7\nstop:\n  signal: TERM\nulimits:\n  nprocs: 5\n  core: [1]\nresources:\n  cpu:\n    cores: 2 cores\n  pids: 0\nsysctls:\n  vm.swappiness: 1\ncommand: []',
      ),
      'y.yaml': manifest('Zone', 'Y_1', 'hosts: {}\nstrategy: packed\nlevels: [1, 1]'),
    },
    codes: [...Array<string>(3).fill('BAD_VALUE'), 'WRONG_TYPE', ...Array<string>(7).fill('BAD_VALUE')],
  },
  {
    name: 'rollouts',
    files: {
      'u.yaml': app('rollout:\n  minReadySeconds: 3\n  canary:\n    replicas: 1', 'u'),
      'v.yaml': app('replicas: 3\nrollout:\n  canary:\n    replicas: 0\n    pause: for ever').replace(
        'name: x',
        'name: v',
      ),
      'w.yaml': app(
        'replicas: 2\nrollout:\n  minReady: 30s\n  progressDeadline: 30s\n  canary:\n    replicas: 2\n    pause: 0s',
      ).replace('name: x', 'name: w'),
      'x.yaml': app('rollout:\n  autoRevert: false\n  canary:\n    replicas: 1\n    pause: forever'),
    },
    codes: ['UNKNOWN_FIELD', 'MISSING_FIELD', ...Array<string>(7).fill('BAD_VALUE')],
  },
  {
    name: 'branches',
    files: {
      'x.yaml': app(
        'probes:\n  readiness:\n    htp:\n      port: 80\n  liveness:\n    http:\n      port: 0\n    period: 10\n  startup:\n    period: 1s\nvolumes:\n  - path: /a\n    hosts: /b\n  - path: /b\n    host: /c\n    tmpfs: {}\n  - path: /c\n    tmpfs:\n      size: big\n  - /d',
      ),
    },
    codes: [
      'UNKNOWN_FIELD',
      'BAD_VALUE',
      'WRONG_TYPE',
      'MISSING_FIELD',
      'UNKNOWN_FIELD',
      'BAD_VALUE',
      'BAD_VALUE',
      'WRONG_TYPE',
    ],
  },
  {
    name: 'one app',
    files: {
      'x.yaml': app(
        'user: "7"\nresources:\n  cpu:\n    cores: 0m\n    quota: 1m\n  memory:\n    limit: 5Mi\n    reservation: 8Mi\nnetwork: {name: net, egress: 100}\nrestart:\n  backoff: 1m\n  maxBackoff: 1s\nulimits:\n  nproc:\n    soft: 5\n    hard: 4\nprobes:\n  readiness:\n    tcp:\n      port: 1\n    period: 0s\nvolumes:\n  - path: /a/../b\n    tmpfs:\n      size: 1',
      ).replace(/ +network:\n +name: net\n/, ''),
    },
    codes: [
      'BAD_VALUE',
      'BAD_VALUE',
      'MEMORY_TOO_SMALL',
      'RESERVATION_ABOVE_LIMIT',
      'BAD_VALUE',
      'BAD_VALUE',
      'BAD_VALUE',
      'BAD_VALUE',
      'BAD_VALUE',
      'BAD_VALUE',
    ],
  },
  {
    name: 'pinned cores',
    files: {
      'x.yaml': app('resources:\n  cpu:\n    cores: 1500m\n    pinned: true\n    quota: 2'),
      'y.yaml': app('resources:\n  cpu:\n    pinned: true', 'y'),
      'z.yaml': app('resources:\n  cpu:\n    cores: 2\n    pinned: false\n    quota: 2', 'z'),
    },
    codes: ['BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE'],
  },
  {
    name: 'limits that contradict each other',
    files: {
      'x.yaml': app(
        'resources:\n  cpu:\n    quota: 500m\n    burst: 1\n    shares: 5\n    idle: true\n  memory:\n    high: 128Mi\n    hugepages:\n      2Mi: 3Mi\n  blockIoLimits:\n    sda:\n      readBytes: 0',
      ),
      'y.yaml': app('resources:\n  cpu:\n    burst: 100m\n  memory:\n    high: 1Mi', 'y'),
    },
    codes: ['BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE'],
  },
  {
    name: 'one network',
    files: {
      'x.yaml': network('a', 'vlan: 1\ncidr: 10.9.0.1/24'),
      'y.yaml': network(
        'b',
        'vlan: 2\ncidr: 10.8.0.0/24\ngateway: 10.9.0.1\nranges: [10.8.0.10-10.8.1.10, 10.8.0.9-10.8.0.3, 10.8.0.300]\nexclude: [10.7.0.1]\ndns:\n  servers: [1.1.1]',
      ),
      'z.yaml': network('c', 'vlan: 3\ncidr: 10.6.0.0/25\nblockSize: 24\ngateway: 10.6.0.127'),
    },
    codes: [
      'BAD_VALUE',
      'GATEWAY_OUTSIDE',
      'RANGE_OUTSIDE',
      'BAD_VALUE',
      'BAD_VALUE',
      'RANGE_OUTSIDE',
      'BAD_VALUE',
      'BAD_VALUE',
      'GATEWAY_OUTSIDE',
    ],
  },
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
    files: { 'x.yaml': app('').replace('zone: main', 'zone: mian').replace('name: net', 'name: backend') },
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
      'x.yaml': network('other', 'vlan: 100\ncidr: 10.1.0.128/25\ndatapath: netdev\nuplink: eth1'),
      'y.yaml': network('third', 'vlan: 300\ncidr: 10.3.0.0/24\ndatapath: netdev\nuplink: eth2\nbridge: br-b'),
      'z.yaml': network('fourth', 'vlan: 301\ncidr: 10.4.0.0/24\ndatapath: netdev\nuplink: eth3\nbridge: br-b'),
    },
    codes: ['VLAN_CLASH', 'CIDR_CLASH', 'BRIDGE_CLASH', 'BRIDGE_CLASH'],
  },
  {
    name: 'too few addresses',
    files: {
      'network.yaml': network(
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
      'x.yaml': app(
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
      'x.yaml': app('affinity:\n  - { app: b, within: host }\n  - { app: none, within: rack }', 'a'),
      'y.yaml': app('affinity:\n  - { app: a, within: rack }\n  - { app: b, within: host }', 'b'),
      'z.yaml': app('affinity:\n  - { app: web, within: host }\nantiAffinity:\n  - { app: web, within: rack }', 'c'),
      't.yaml': app('affinity:\n  - { app: f, within: rack }', 'e'),
      'u.yaml': app('affinity:\n  - { app: e, within: host }', 'f'),
      'v.yaml': manifest('Zone', 'far', 'hosts:\n  matchLabels: { pool: far }'),
      'w.yaml': app('affinity:\n  - { app: web, within: host }', 'd').replace('zone: main', 'zone: far'),
    },
    codes: ['AFFINITY_CLASH', 'AFFINITY_CLASH', 'DANGLING_REFERENCE', 'BAD_VALUE', 'AFFINITY_CLASH'],
  },
  {
    name: 'gang too large',
    files: {
      'x.yaml': app('gang: big\nreplicas: 600', 'x'),
      'y.yaml': app('gang: big\nreplicas: 401', 'y'),
      'z.yaml': app('gang: other\nreplicas: 1000', 'z'),
      'network.yaml': network('net', 'vlan: 100\ncidr: 10.1.0.0/16'),
    },
    codes: ['GANG_TOO_LARGE'],
  },
  {
    name: 'processes that are counted together',
    files: { 'x.yaml': app('user: "10000:7"\nulimits: { nproc: 100 }'), 'y.yaml': app('user: "10000"', 'y') },
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
  {
    name: 'control characters',
    files: { 'x.yaml': app('stop:\n  signal: "\\e[31mred\\u202e"') },
    codes: ['BAD_VALUE'],
  },
];

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
