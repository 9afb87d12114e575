import { HOST_LEASE, HOST_TTL } from '../reconciler/loop/hearing.ts';
import { formOf } from '../reconciler/model/form.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { incarnationOf } from '../reconciler/model/rollout.ts';
import type { Ports } from '../reconciler/model/store.ts';

/** How Redis keeps what `idle-fleet` writes. */
export const DURABLE: readonly string[] = ['appendonly yes', 'appendfsync always'];
/** Seldom, so that little of it is measured: milliseconds. */
const HEARTBEAT = HOST_TTL / 2;
const LOT = 200;

/** Until it leaves, a fleet is heard of. */
export interface Presence {
  leave(): Promise<void>;
}

/** The hosts of these Reports are there, and will be until they leave. */
export async function introduce({ mailbox, leases }: Ports, reports: readonly Report[]): Promise<Presence> {
  const lots = Array.from({ length: Math.ceil(reports.length / LOT) }, (_, at) =>
    reports.slice(at * LOT, (at + 1) * LOT),
  );
  const heartbeat = async (): Promise<void> => {
    for (const some of lots) {
      const names = some.map(({ host }) => HOST_LEASE + host);
      await leases.acquireAll(names, 'bench', 2 * HOST_TTL - 1_000); // as long as a host may be silent, for a bench that is busy
    }
  };
  for (const some of lots) await Promise.all(some.map((report) => mailbox.report(report)));
  await heartbeat();
  let beating = Promise.resolve();
  const timer = setInterval(() => {
    beating = beating.then(heartbeat);
  }, HEARTBEAT);
  return {
    leave: () => {
      clearInterval(timer);
      return beating;
    },
  };
}

/** The hosts of these Reports run what they were told, and say so. */
export async function settle({ mailbox }: Pick<Ports, 'mailbox'>, reports: readonly Report[]): Promise<void> {
  for (const report of reports) {
    const assignment = await mailbox.assignment(report.host);
    if (!assignment) continue;
    const { generation, revision } = assignment;
    const replicas = assignment.replicas.map((replica) => ({
      id: replica.id,
      phase: 'Ready' as const,
      ready: true,
      restarts: 0,
      fingerprint: 'f'.repeat(16),
      incarnation: incarnationOf(replica),
      form: formOf(replica),
      image: `sha256:${'0'.repeat(64)}`,
    }));
    const observed = assignment.replicas.flatMap(({ id, spec }) => [
      {
        known: true as const,
        ref: `container/${id}` as const,
        owned: true,
        state: { status: 'running', image: spec.image },
      },
      { known: true as const, ref: `sandbox/${id}` as const, owned: true, state: { status: 'running' } },
      {
        known: true as const,
        ref: `port/${id}` as const,
        owned: true,
        state: { bridge: 'br-int', vlan: 100, mtu: 1500 },
      },
      { known: true as const, ref: `cgroup/${id}` as const, owned: true, state: { ...spec.resources } },
    ]);
    const of = { status: true, message: '', observedGeneration: generation };
    const conditions = [{ type: 'Ready' as const, reason: 'Converged', ...of }];
    await mailbox.report({ ...report, generation, revision, replicas, observed, conditions });
  }
}
