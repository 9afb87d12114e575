import type { Ref } from '../../reconciler/model/ref.ts';
import type { ReplicaReport, Report } from '../../reconciler/model/replica.ts';
import type { Assignment } from '../../reconciler/model/replica.ts';
import { assignmentOf } from './assigned.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** What an act is done on: a host whose agent is at rest with four replicas. */
export interface Scene {
  readonly host: SimulatedHost;
  /** The next change of a ref takes as long as it likes. */
  readonly hang: (ref: Ref) => void;
  /** Waits until such a change is under way. */
  readonly hangs: (ref: Ref) => Promise<void>;
  /** Tells the host something else. */
  readonly tell: (assignment: Assignment) => Promise<void>;
  /** Waits until it is so. */
  readonly until: (what: string, so: () => boolean) => Promise<void>;
  /** Somebody changes a thing by hand, which is announced as such a thing is. */
  readonly change: (ref: Ref, state: Readonly<Record<string, unknown>>) => void;
  /** Whether its probe passes. */
  readonly serve: (replica: string, ready: boolean) => void;
}

/** Something that happens to a replica, and how a Report tells of it. */
export interface Act {
  readonly what: string;
  /** What goes on when it happens. */
  readonly before?: (scene: Scene) => Promise<void>;
  readonly act: (scene: Scene) => void | Promise<void>;
  readonly told: (report: Report) => boolean;
}

const WEB = 'web-0';
const CONTAINER = 'container/web-0';
const CGROUP = 'cgroup/web-0';
/** Asked often, so that what is told late is not only seen late. */
const readiness = {
  check: { type: 'tcp', port: 80 },
  period: 200,
  timeout: 1_000,
  failures: 1,
  successes: 1,
} as const;

/** What the host is told, with so many replicas. */
export function told(generation: number, replicas: number, image = 'img:1'): Assignment {
  return assignmentOf('h1', generation, replicas, { image, probes: { readiness } });
}

const of = ({ replicas }: Report, id = WEB): ReplicaReport | undefined => replicas.find((one) => one.id === id);
const ended = { status: 'exited', exitCode: 1 };

function memoryOf({ observed }: Report): unknown {
  const item = observed.find(({ ref }) => ref === CGROUP);
  return item?.known === true ? (item.state as { readonly memory?: unknown }).memory : undefined;
}

/** All of them, also in the middle of changes that take long. */
export const ACTS: readonly Act[] = [
  {
    what: 'a container that ends is started again',
    act: ({ change }) => change(CONTAINER, ended),
    told: (report) => of(report)?.restarts === 1,
  },
  {
    what: 'a container ends, and starting it again takes long',
    before: ({ hang }) => Promise.resolve(hang(CONTAINER)),
    act: ({ change }) => change(CONTAINER, ended),
    told: (report) => of(report)?.phase === 'Starting' && of(report)?.ready === false,
  },
  {
    what: 'a probe fails',
    act: ({ serve }) => serve(WEB, false),
    told: (report) => of(report)?.phase === 'Running' && of(report)?.ready === false,
  },
  {
    what: 'a limit is changed by hand, and putting it back takes long',
    before: ({ hang }) => Promise.resolve(hang(CGROUP)),
    act: ({ change }) => change(CGROUP, { memory: 7 }),
    told: (report) => memoryOf(report) === 7,
  },
  {
    what: 'a limit is changed by hand again as soon as it was put back, and this time that takes long',
    before: async ({ host, hang, change, until }: Scene): Promise<void> => {
      const right = host.get(CGROUP)?.state['memory'];
      change(CGROUP, { memory: 6 });
      await until('it is put back', () => host.get(CGROUP)?.state['memory'] === right);
      hang(CGROUP);
    },
    act: ({ change }) => change(CGROUP, { memory: 7 }),
    told: (report) => memoryOf(report) === 7,
  },
  {
    what: 'a container ends while the image is pulled that it is to have next',
    before: async ({ hang, hangs, tell }: Scene): Promise<void> => {
      hang('image/img:2');
      await tell(told(2, 4, 'img:2'));
      await hangs('image/img:2');
    },
    act: ({ change }) => change(CONTAINER, ended),
    told: (report) => of(report)?.phase === 'Starting' && of(report)?.ready === false,
  },
  {
    what: 'a limit is changed by hand while an image is pulled',
    before: async ({ hang, hangs, tell }: Scene): Promise<void> => {
      hang('image/img:2');
      await tell(told(2, 4, 'img:2'));
      await hangs('image/img:2');
      hang(CGROUP);
    },
    act: ({ change }) => change(CGROUP, { memory: 7 }),
    told: (report) => memoryOf(report) === 7,
  },
  {
    what: 'a replica is to go, and takes long to stop',
    before: ({ hang }) => Promise.resolve(hang('container/web-3')),
    act: ({ tell }) => tell(told(2, 3)),
    told: (report) => report.generation === 2 && of(report, 'web-3')?.phase === 'Stopping',
  },
  {
    what: 'what a host stops is wanted again as it was: it does not serve',
    before: async ({ hang, hangs, tell }: Scene): Promise<void> => {
      hang(CONTAINER);
      await tell(told(2, 4, 'img:2'));
      await hangs(CONTAINER);
    },
    act: ({ tell }) => tell(told(3, 4)),
    told: (report) => report.generation === 3 && of(report)?.ready === false,
  },
  {
    what: 'a probe fails while twenty replicas are being made',
    before: async ({ hang, hangs, tell }: Scene): Promise<void> => {
      for (let at = 4; at < 24; at += 1) hang(`sandbox/web-${String(at)}`);
      await tell(told(2, 24));
      await hangs('sandbox/web-23');
    },
    act: ({ serve }) => serve(WEB, false),
    told: (report) => of(report)?.phase === 'Running' && of(report)?.ready === false,
  },
  {
    what: 'a container ends while another one takes long to stop',
    before: async ({ hang, hangs, tell }: Scene): Promise<void> => {
      hang('container/web-3');
      await tell(told(2, 3));
      await hangs('container/web-3');
    },
    act: ({ change }) => change(CONTAINER, ended),
    told: (report) => of(report)?.restarts === 1,
  },
];
