import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDirectorySync } from '../../disk/directory.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { hostName } from '../host-document.ts';
import type { Io } from '../io.ts';
import { rehearsalFiles, type RehearsalSize } from '../init-rehearsal.ts';
import { command, outputOption, parse, wholeNumber } from '../options.ts';

/** The schemas lie beside the compiled code. */
const SCHEMAS = fileURLToPath(new URL('../../schemas', import.meta.url));
/** Below a dot, so that it is no manifest; editors follow relative paths anywhere. */
const SCHEMA_FOLDER = '.plumb/schemas';
const SCHEMA_FILES = ['common', 'fleet', 'app', 'zone', 'network', 'host', 'tuning'] as const;

/** `plumb init`: writes a small repository that validates. Overwrites nothing: throws USAGE naming what is there. */
export async function initCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'init',
    'Write a small repository to start from: a Fleet, a Zone, a Network, this machine as a Host, and one App. Nothing that exists is overwritten.',
    'plumb init\nplumb init ~/fleet --host web-7\nplumb init ~/rehearsal --simulated 6000 --apps 6000',
    io,
  )
    .argument('[dir]', 'where; it is made when it does not exist', '.')
    .option('--host <name>', 'name of the Host document', hostName(hostname()))
    .option('--simulated <hosts>', 'a fleet of so many simulated hosts instead, for plumb agent --simulated')
    .option('--apps <count>', 'with --simulated: how many Apps (default: as many as hosts)')
    .option('--replicas <count>', 'with --simulated: how many replicas each App has (default: 1)')
    .addOption(outputOption('text', 'json'));
  const parsed = parse(cmd, argv);
  if (!parsed) return Promise.resolve(0);
  const options = parsed.opts<Options>();
  if (hostName(options.host) !== options.host)
    throw new PlumbError(
      'USAGE',
      `${options.host} is no name of a Host: small letters, digits and hyphens, as ${hostName(options.host)}`,
    );
  const folder = resolve(io.cwd, String(parsed.processedArgs[0]));
  const rehearsal = rehearsalSize(options);
  const files = rehearsal ? rehearsalFiles(rehearsal) : starter(options.host, hostname());
  const there = [...Object.keys(files), SCHEMA_FOLDER].filter((file) => existsSync(join(folder, file)));
  if (there.length > 0) throw new PlumbError('USAGE', `${folder} already has ${there.join(', ')}; nothing was written`);
  try {
    write(folder, files);
  } catch (error) {
    throw new PlumbError(
      'USAGE',
      `${(error as Error).message}; name a folder that can be written`,
      { target: folder },
      error,
    );
  }
  const shown = relative(io.cwd, folder) || '.';
  if (options.output === 'json') io.out(`${JSON.stringify({ version: 1, folder, files: Object.keys(files) })}\n`);
  else io.out(`${wrote(Object.keys(files), shown)}\n\nnext:\n${next(shown, rehearsal?.hosts)}`);
  return Promise.resolve(0);
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    makeDirectorySync(dirname(join(folder, file)));
    writeFileSync(join(folder, file), text, { flag: 'wx' });
  }
  for (const name of SCHEMA_FILES)
    cpSync(join(SCHEMAS, `${name}.json`), join(folder, SCHEMA_FOLDER, `${name}.json`), { errorOnExist: true });
}

interface Options {
  readonly host: string;
  readonly output: 'text' | 'json';
  readonly simulated?: string;
  readonly apps?: string;
  readonly replicas?: string;
}

function rehearsalSize({ simulated, apps, replicas }: Options): RehearsalSize | undefined {
  if (simulated === undefined && (apps ?? replicas) !== undefined)
    throw new PlumbError('USAGE', '--apps and --replicas go with --simulated HOSTS');
  if (simulated === undefined) return undefined;
  return {
    hosts: wholeNumber('--simulated', simulated, 1),
    apps: wholeNumber('--apps', apps ?? simulated, 0),
    replicas: wholeNumber('--replicas', replicas ?? '1', 1),
  };
}

/** More files than a screen takes are counted. */
const SHOWN = 20;

function wrote(files: readonly string[], folder: string): string {
  if (files.length > SHOWN) return `wrote ${String(files.length)} files below ${folder}`;
  return files.map((file) => `wrote ${join(folder, file)}`).join('\n');
}

function next(folder: string, simulated: number | undefined): string {
  const enter = folder === '.' ? '' : `  cd ${folder}\n`;
  const commit = `  git init -b main && git add -A && git commit -qm 'plumbline: first manifests'\n`;
  if (simulated === undefined) return `${enter}  plumb validate\n${commit}  plumb plan\n  sudo plumb up\n`;
  const store = '--store redis://127.0.0.1';
  return `${enter}${commit}  redis-server &\n  plumb controller ${store} --repo . --state-dir /tmp/rehearsal &\n  plumb agent ${store} --simulated ${String(simulated)} &\n  plumb status ${store}\n`;
}

/** Path → text of the starting repository. */
function starter(host: string, machine: string): Readonly<Record<string, string>> {
  const manifest = (kind: string, depth: string, body: string): string =>
    `# yaml-language-server: $schema=${depth}${SCHEMA_FOLDER}/${kind.toLowerCase()}.json\napiVersion: plumbline/v1\nkind: ${kind}\n${body}`;
  return {
    'fleet.yaml': manifest(
      'Fleet',
      '',
      `metadata:
  name: ${host}
spec:
  owners:
    apps: team # who owns what is below a path
  budget:
    deletions: 50% # more replicas than that are never taken away by one revision
`,
    ),
    'zone.yaml': manifest(
      'Zone',
      '',
      `metadata:
  name: main
spec:
  hosts:
    matchLabels:
      pool: main
`,
    ),
    'network.yaml': manifest(
      'Network',
      '',
      `metadata:
  name: front
spec:
  vlan: 100
  cidr: 10.100.0.0/24
  ranges: [10.100.0.10-10.100.0.99]
  bridge: br-int
  antiSpoofing: true
  # uplink: eth1 # a NIC without address that carries the VLAN to the switch
`,
    ),
    [`hosts/${host}.yaml`]: manifest(
      'Host',
      '../',
      `metadata:
  name: ${host}
  labels:
    pool: main
spec:
  machine:
    hostname: ${machine}
  topology:
    rack: r1
    switch: sw1
`,
    ),
    'apps/hello.yaml': manifest(
      'App',
      '../',
      `metadata:
  name: hello
spec:
  image: busybox:1.36
  command: [sh, -c]
  args:
    - mkdir -p /www && echo "hello from $HOSTNAME" >/www/index.html && exec httpd -f -p 8080 -h /www
  replicas: 2
  zone: main
  network:
    name: front
  resources:
    cpu:
      cores: 100m
      quota: 1
    memory:
      limit: 64Mi
    pids: 64
  probes:
    readiness:
      http:
        port: 8080
      period: 2s
`,
    ),
    'README.md': `# The container cloud of ${host}

What is committed here runs. \`plumb validate\` checks it, \`plumb plan\` shows what a commit would do, \`sudo plumb up\` makes it so
and keeps it so.

| file | what |
|---|---|
| \`fleet.yaml\` | intervals, budget, owners |
| \`zone.yaml\` | which hosts take which Apps |
| \`network.yaml\` | VLAN, addresses, bridge |
| \`hosts/\` | the machines |
| \`apps/\` | what runs on them |
| \`.plumb/schemas/\` | for editors: completion and checks while you type |
`,
  };
}
