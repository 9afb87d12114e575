import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Status } from '../../reconciler/loop/status/status.ts';
import { inVain } from './outline.ts';

/** What a fleet of some version left behind: the keys of its Redis, and the files of its hosts' state directories. */
export interface Recording {
  /** Key, type and content: text, or lists of words in the order in which they are written back. */
  readonly redis: readonly (readonly [key: string, type: string, content: string | readonly (readonly string[])[]])[];
  /** `host/path` → text. */
  readonly files: Readonly<Record<string, string>>;
}

/** What the recorded fleet was asked for, in steps. In the end h3 is drained, api has fewer replicas, and the canary of web waits. */
export const STEPS: readonly { readonly h3: string; readonly api: number; readonly image: number }[] = [
  { h3: '{}', api: 4, image: 1 },
  { h3: '{ drain: true }', api: 4, image: 1 },
  { h3: '{ drain: true }', api: 3, image: 1 },
  { h3: '{ drain: true }', api: 3, image: 2 },
];

/** The manifests of a step. */
export function manifestsOf({ h3, api, image }: (typeof STEPS)[number], web = 3): string {
  const one = (kind: string, name: string, spec: string, labels = 'pool: main'): string =>
    `apiVersion: plumbline/v1\nkind: ${kind}\nmetadata: { name: ${name}, labels: { ${labels} } }\nspec: ${spec}\n`;
  const network = (vlan: number, more = ''): string =>
    `{ vlan: ${String(vlan)}, cidr: 10.${String(vlan)}.0.0/24, gateway: 10.${String(vlan)}.0.1, quarantine: 12h${more} }`;
  const probe = (path: string): string => `{ http: { port: 80, path: ${path} }, period: 1s, timeout: 1s }`;
  return [
    one('Fleet', 'recorded', '{ intervals: { poll: 1s, resync: 5s }, budget: { deletions: 100% } }'),
    one('Zone', 'main', '{ hosts: { matchLabels: { pool: main } }, overcommit: { cpu: 2 }, allowedHostPaths: [/srv] }'),
    one('Network', 'front', network(100, ', dns: { servers: [10.100.0.2] }')),
    one('Network', 'back', network(101, ', egress: 1G')),
    one('Host', 'h1', '{ topology: { rack: r1, switch: s1 } }'),
    one('Host', 'h2', '{ topology: { rack: r2, switch: s1 } }'),
    one('Host', 'h3', h3),
    one('Tuning', 'calm', '{ hosts: { matchLabels: { pool: main } }, sysctls: { vm.swappiness: "10" } }'),
    one(
      'App',
      'web',
      `{ image: "busybox:${String(image)}", zone: main, network: { name: front }, replicas: ${String(web)}, level: 1, spread: { host: 2 },
  env: { MODE: fast }, resources: { cpu: { cores: 100m }, memory: { limit: 64Mi } }, probes: { readiness: ${probe('/')} },
  rollout: { minReady: 1s, canary: { replicas: 1, pause: forever }, progressDeadline: 10m } }`,
    ),
    one(
      'App',
      'api',
      `{ image: "busybox:1", command: [serve], zone: main, network: { name: back }, replicas: ${String(api)}, update: { maxUnavailable: 2 },
  resources: { cpu: { cores: 50m }, memory: { limit: 32Mi, swap: 16Mi } }, openFiles: 1024, sysctls: { net.core.somaxconn: "512" },
  volumes: [{ path: /data, host: /srv/data }, { path: /tmp, tmpfs: { size: 8Mi } }], probes: { liveness: ${probe('/live')} } }`,
    ),
  ].join('---\n');
}

export async function dump(redis: Redis): Promise<Recording['redis']> {
  const keys = (await redis.keys('*')).sort();
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      return [key, type, await contentOf(redis, key, type)] as const;
    }),
  );
}

async function contentOf(redis: Redis, key: string, type: string): Promise<string | readonly (readonly string[])[]> {
  switch (type) {
    case 'string':
      return (await redis.get(key)) ?? '';
    case 'hash':
      return Object.entries(await redis.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1));
    case 'set':
      return (await redis.smembers(key)).sort().map((member) => [member]);
    case 'zset': {
      const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
      return flat.flatMap((member, at): readonly (readonly string[])[] =>
        at % 2 === 0 ? [[flat[at + 1] ?? '', member]] : [],
      );
    }
    case 'stream':
      return (await redis.xrange(key, '-', '+')).map(([id, fields]) => [id, ...fields]);
    default:
      return assert.fail(`${key} is a ${type}`);
  }
}

const WRITES: Readonly<Record<string, string>> = { hash: 'hset', set: 'sadd', zset: 'zadd', stream: 'xadd' };

/** Puts all keys back, as they were. */
export async function restore(redis: Redis, recorded: Recording['redis']): Promise<void> {
  await redis.flushall();
  for (const [key, type, content] of recorded)
    if (typeof content === 'string') await redis.set(key, content);
    else for (const words of content) await redis.call(WRITES[type] ?? assert.fail(type), key, ...words);
}

/** The files below a directory, but for sockets and locks. */
export function readFiles(dir: string): Recording['files'] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.flatMap((name) =>
      statSync(join(dir, name)).isFile() ? [[name, readFileSync(join(dir, name), 'utf8')]] : [],
    ),
  );
}

/** Puts them back. */
export function writeFiles(dir: string, files: Recording['files']): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
}

/** Waits until a status is as wanted. */
export async function untilSo(
  what: string,
  look: () => Promise<Status>,
  good: (now: Status) => boolean,
  seconds = 120,
): Promise<Status> {
  let last: Status | undefined;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
    last = await look().catch(() => undefined);
    if (last && good(last)) return last;
  }
  return assert.fail(await inVain(what, seconds, last));
}

/** Whether all is as that revision says; with `paused`, but for a rollout whose canaries are watched. */
export function isSo({ revision, sync, health, rollouts = [], items }: Status, asked: string, paused = false): boolean {
  if (revision !== asked) return false;
  if (!paused) return sync === 'Synced' && health === 'Healthy';
  return rollouts[0]?.stage === 'paused' && items.every((item) => item.health === 'Healthy');
}
