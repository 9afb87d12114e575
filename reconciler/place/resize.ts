import { amountOf, NODES, NOTHING, pinnedIn } from '../model/demand.ts';
import type { Demand } from '../model/demand.ts';
import type { Placement } from '../model/replica.ts';
import { nodeFor, onNode } from './cores.ts';
import { propose } from './run.ts';
import type { Run } from './run.ts';
import type { Resize } from './resizes.ts';

/** What a placed replica is to take of its host: cores of its own that are more than it has are of the node where it has some, or that suits best. */
export function grown({ book, table }: Run, { placement, demand, cores }: Resize): Demand {
  if (cores === 0) return demand;
  const { host, demand: have } = placement;
  const row = table.rows.get(host);
  const most = book.hosts.get(host)?.allocatable ?? NOTHING;
  const used = book.used(host);
  const left = (node: number): number =>
    amountOf(most, NODES[node] ?? 'node0') - amountOf(used, NODES[node] ?? 'node0');
  const node = pinnedIn(have)?.node ?? nodeFor(left, cores);
  const { cpu } = onNode(demand, cores, node, row === undefined ? 1 : (table.worth[row] ?? 1));
  return { ...onNode(demand, cores, node, 1), cpu: Math.max(cpu, demand.cpu) };
}

/** Changes what a replica takes of its host; false when the host has no room for more. */
export function resize(run: Run, { replica }: Placement, demand: Demand): boolean {
  run.preempting.below.clear();
  return propose(run, { op: 'resize', replica, demand });
}
