import assert from 'node:assert/strict';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Entry } from '../../reconciler/model/journal.ts';
import { HOSTS, type FleetStage } from './fleet-stage.ts';
import { app } from './stage.ts';
import { askingAll, readAsked, type Asked } from './traffic.ts';

/** What a version of App `web` is, where it is not the usual one. */
export interface Web {
  readonly image?: string;
  /** Mebibytes. */
  readonly limit?: number;
  readonly command?: string;
  /** More YAML at the level of spec. */
  readonly more?: string;
}

/** App `web`, whose replicas are away for a second at least when they are made anew, long enough for every client to see. */
export function web(
  replicas: number,
  { image = '1', limit = 32, command = 'exec serve', more = '' }: Web = {},
): {
  readonly 'web.yaml': string;
} {
  return {
    'web.yaml': app(
      'web',
      `  image: plumbline/busybox:${image}
  command: [sh, -c, sleep 1; ${command}]
  replicas: ${String(replicas)}
  resources: { cpu: { cores: 10m }, memory: { limit: ${String(limit)}Mi } }
  update: { maxUnavailable: 1 }
  probes: { readiness: { http: { port: 80 }, period: 500ms, timeout: 5s } }${more}`,
    ),
  };
}

/** A client on h1 that asks whoever has one of the first addresses. */
export const client: { readonly 'client.yaml': string } = {
  'client.yaml': app(
    'client',
    `  command: [sh, -c]
  args:
    - |
${askingAll(Array.from({ length: 10 }, (_, n) => `10.1.0.${String(10 + n)}`))}  hosts: { matchLabels: { role: client } }`,
  ),
};

/** The replicas of web. */
export function webs({ items }: Status): Status['items'] {
  return items.filter(({ ref }) => ref.startsWith('replica/web-'));
}

/** Replica, host and address of all. */
export function homes({ items }: Status): readonly string[] {
  return items.map(({ ref, host, address = '' }) => `${ref} ${host} ${address}`);
}

/** What others than Plumbline see of a fleet stage: Docker, Open vSwitch, and the client. */
export interface Witness {
  /** All containers: host, name, id, start, state. */
  containers(): Promise<readonly string[]>;
  /** What a replica answers the client. */
  ask(address: string): Promise<string>;
  /** What the client has asked the replicas of web, from now on. */
  asking(): Promise<() => Promise<readonly Asked[]>>;
  /** Docker, Open vSwitch and the replicas themselves say what the status says; web runs that image. */
  isSo(status: Status, image: number): Promise<void>;
  /** Each change in the agents' journals has one intent and one outcome; gives the changes of containers that began since. */
  changesSince(at: number): Promise<readonly string[]>;
  /** A commit that asks for nothing new: once it is converged, all have spoken to each other again. */
  heard(seconds?: number): Promise<Status>;
}

/** Looks at a fleet stage from outside. */
export function witness(stage: FleetStage): Witness {
  async function containersOf(host: string): Promise<readonly string[]> {
    const { out: ids } = await stage.sh(host, 'docker', 'ps', '-aq');
    if (ids === '') return [];
    const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}';
    const { out } = await stage.sh(host, 'docker', 'inspect', '-f', format, ...ids.split('\n'));
    return out.split('\n').sort();
  }
  const inClient = ['docker', 'exec', 'plumb-client-0', 'timeout', '5'];
  const ask = async (address: string): Promise<string> =>
    (await stage.sh('h1', ...inClient, 'wget', '-qO-', `http://${address}/`)).out;
  return {
    ask,
    containers: async () =>
      (
        await Promise.all(HOSTS.map(async (host) => (await containersOf(host)).map((line) => `${host} ${line}`)))
      ).flat(),
    asking: async () => {
      const served = new Set(webs(await stage.status()).map(({ address }) => address));
      const read = async (): Promise<readonly Asked[]> =>
        readAsked((await stage.sh('h1', 'docker', 'logs', 'plumb-client-0')).out).filter(({ address }) =>
          served.has(address),
        );
      const before = (await read()).length;
      return async () => (await read()).slice(before);
    },
    isSo: async (status, image) => {
      for (const host of HOSTS) {
        const names = status.items.filter((item) => item.host === host).map(({ ref }) => ref.replace('replica/', ''));
        const running = (await containersOf(host))
          .map((line) => line.split(' '))
          .map(([name, , , how]) => `${String(name)} ${String(how)}`);
        const wanted = names.flatMap((name) => [`/plumb-${name} running`, `/plumb-${name}-sandbox running`]);
        assert.deepEqual(running, wanted.sort(), host);
        const find = ['--bare', '--columns=external_ids', 'find', 'Port', 'tag=100'];
        const { out } = await stage.sh(host, 'ovs-vsctl', ...find);
        const ports = [...out.matchAll(/plumbline-ref=port\/(\S+)/g)].map(([, replica]) => replica);
        assert.deepEqual(ports.sort(), names.sort(), host);
      }
      for (const { address = '' } of webs(status))
        assert.equal(await ask(address), `plumbline ${String(image)}`, address);
    },
    changesSince: async (at) => {
      const all: Entry[] = [];
      for (const host of HOSTS) {
        const entries = await stage.journal(host);
        all.push(...entries);
        const traces = (type: Entry['type']): readonly string[] =>
          entries.flatMap((entry) => ('trace' in entry && entry.type === type ? [entry.trace] : [])).sort();
        assert.deepEqual(traces('outcome'), traces('intent'), host);
        assert.equal(new Set(traces('intent')).size, traces('intent').length, host);
      }
      return all
        .flatMap((entry) =>
          entry.type === 'intent' && entry.at >= at && entry.ref.startsWith('container/')
            ? [`${entry.verb} ${entry.ref}`]
            : [],
        )
        .sort();
    },
    heard: async (seconds) => {
      stage.commit({});
      return stage.converged(seconds);
    },
  };
}
