import type { SourceFile } from '../../reconciler/model/source.ts';
import { manifest } from './manifests.ts';

/** A repository that cannot be used as it is. */
export interface BrokenCase {
  readonly name: string;
  /** Files put over the sound repository; undefined takes one away. */
  readonly files: Readonly<Record<string, string | Uint8Array | undefined>>;
  readonly refused?: readonly SourceFile[];
  /** Codes in order of place. */
  readonly codes: readonly string[];
}

/** An App with image, Zone and Network, and more in its spec. */
export const appWith = (spec: string, name = 'x'): string =>
  manifest('App', name, `image: a:1\nzone: main\nnetwork:\n  name: net\n${spec}`);

/** A Network of a spec. */
export const networkOf = (name: string, spec: string): string => manifest('Network', name, spec);

/** Files that are no YAML, and documents that are wrong by themselves. */
export const BROKEN_DOCUMENTS: readonly BrokenCase[] = [
  { name: 'syntax', files: { 'x.yaml': 'a: [1, 2\nb: 3\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'unclosed quote', files: { 'x.yaml': 'apiVersion: "plumbline/v1\nkind: App\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'unquoted colon', files: { 'x.yaml': 'a: b: c\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'tab', files: { 'x.yaml': 'kind: App\nspec:\n\timage: a\n' }, codes: ['TAB_INDENT'] },
  { name: 'tag', files: { 'x.yaml': 'kind: !secret App\n' }, codes: ['YAML_SYNTAX'] },
  { name: 'directive', files: { 'x.yaml': '%YAML 1.1\n---\nkind: yes\n' }, codes: ['YAML_SYNTAX'] },
  {
    name: 'duplicate key',
    files: { 'x.yaml': appWith('replicas: 1\nlevel: 1\nreplicas: 2') },
    codes: ['DUPLICATE_KEY'],
  },
  { name: 'key of the prototype', files: { 'x.yaml': appWith('env:\n  __proto__: x') }, codes: ['BAD_VALUE'] },
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
    files: { 'x.yaml': appWith('replica: 3\nlimit: 64Mi\nresources:\n  cpu:\n    core: 1\ncontainers: []\n<<: {}') },
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
      'x.yaml': appWith(
        'replicas: "3"\nenv:\n  DEBUG: true\n  PORT: 8080\nargs: -v\nstop:\n  grace: 10\nworkdir:\nspread: 1',
      ),
    },
    codes: Array<string>(7).fill('WRONG_TYPE'),
  },
  {
    name: 'bad values',
    files: {
      'x.yaml': appWith(
        'level: 7\nstop:\n  signal: TERM\nulimits:\n  nprocs: 5\n  core: [1]\nresources:\n  cpu:\n    cores: 2 cores\n  pids: 0\nsysctls:\n  vm.swappiness: 1\ncommand: []',
      ),
      'y.yaml': manifest('Zone', 'Y_1', 'hosts: {}\nstrategy: packed\nlevels: [1, 1]'),
    },
    codes: [...Array<string>(3).fill('BAD_VALUE'), 'WRONG_TYPE', ...Array<string>(7).fill('BAD_VALUE')],
  },
  {
    name: 'rollouts',
    files: {
      'u.yaml': appWith('rollout:\n  minReadySeconds: 3\n  canary:\n    replicas: 1', 'u'),
      'v.yaml': appWith('replicas: 3\nrollout:\n  canary:\n    replicas: 0\n    pause: for ever').replace(
        'name: x',
        'name: v',
      ),
      'w.yaml': appWith(
        'replicas: 2\nrollout:\n  minReady: 30s\n  progressDeadline: 30s\n  canary:\n    replicas: 2\n    pause: 0s',
      ).replace('name: x', 'name: w'),
      'x.yaml': appWith('rollout:\n  autoRevert: false\n  canary:\n    replicas: 1\n    pause: forever'),
    },
    codes: ['UNKNOWN_FIELD', 'MISSING_FIELD', ...Array<string>(7).fill('BAD_VALUE')],
  },
  {
    name: 'branches',
    files: {
      'x.yaml': appWith(
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
      'x.yaml': appWith(
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
      'x.yaml': appWith('resources:\n  cpu:\n    cores: 1500m\n    pinned: true\n    quota: 2'),
      'y.yaml': appWith('resources:\n  cpu:\n    pinned: true', 'y'),
      'z.yaml': appWith('resources:\n  cpu:\n    cores: 2\n    pinned: false\n    quota: 2', 'z'),
    },
    codes: ['BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE'],
  },
  {
    name: 'limits that contradict each other',
    files: {
      'x.yaml': appWith(
        'resources:\n  cpu:\n    quota: 500m\n    burst: 1\n    shares: 5\n    idle: true\n  memory:\n    high: 128Mi\n    hugepages:\n      2Mi: 3Mi\n  blockIoLimits:\n    sda:\n      readBytes: 0',
      ),
      'y.yaml': appWith('resources:\n  cpu:\n    burst: 100m\n  memory:\n    high: 1Mi', 'y'),
    },
    codes: ['BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE', 'BAD_VALUE'],
  },
  {
    name: 'one network',
    files: {
      'x.yaml': networkOf('a', 'vlan: 1\ncidr: 10.9.0.1/24'),
      'y.yaml': networkOf(
        'b',
        'vlan: 2\ncidr: 10.8.0.0/24\ngateway: 10.9.0.1\nranges: [10.8.0.10-10.8.1.10, 10.8.0.9-10.8.0.3, 10.8.0.300]\nexclude: [10.7.0.1]\ndns:\n  servers: [1.1.1]',
      ),
      'z.yaml': networkOf('c', 'vlan: 3\ncidr: 10.6.0.0/25\nblockSize: 24\ngateway: 10.6.0.127'),
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
  {
    name: 'control characters',
    files: { 'x.yaml': appWith('stop:\n  signal: "\\e[31mred\\u202e"') },
    codes: ['BAD_VALUE'],
  },
];
