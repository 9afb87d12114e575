import { HOST_LEASE } from '../reconciler/loop/hearing.ts';
import { formOf } from '../reconciler/model/form.ts';
import type { Report } from '../reconciler/model/replica.ts';
import { incarnationOf } from '../reconciler/model/rollout.ts';
import type { Ports } from '../reconciler/model/store.ts';

/** How Redis keeps what `idle-fleet` writes. */
export const DURABLE: readonly string[] = ['appendonly yes', 'appendfsync always'];
/** Leases that outlive the bench, milliseconds. */
const LONG = 3_600_000;

/** The hosts of these Reports are there, and will be. */
export async function introduce({ mailbox, leases }: Ports, reports: readonly Report[]): Promise<void> {
  for (let at = 0; at < reports.length; at += 200) {
    const some = reports.slice(at, at + 200);
    await Promise.all(some.map((report) => mailbox.report(report)));
    await leases.acquireAll(
      some.map(({ host }) => HOST_LEASE + host),
      'bench',
      LONG,
    );
  }
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
