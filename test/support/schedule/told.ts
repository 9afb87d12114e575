import type { Assignment } from '../../../reconciler/model/replica.ts';
import type { CommitRequest, Single } from '../../../reconciler/model/reservations.ts';
import type { Call } from './line.ts';

/** The id of a request that was committed. */
export function idOf({ args }: Call): string {
  return (args[0] as CommitRequest).id;
}

function proposalsIn({ proposals }: CommitRequest): readonly string[] {
  const singles = proposals.flatMap((one): readonly Single[] => (one.op === 'gang' ? one.places : [one]));
  return singles.map((one) => {
    if ('placement' in one) return `${one.op} ${one.placement.replica} ${one.placement.host}`;
    if ('replica' in one) return `${one.op} ${one.replica}`;
    return one.op === 'host' ? `host ${one.record.host} ${one.record.state}` : `${one.op} ${one.host}`;
  });
}

/** What a controller wrote, for people. */
export function told({ method, args, answer, stale }: Call): string {
  const [what] = args;
  const late = stale ? ' (it stood still)' : '';
  if (method === 'commit') return `commits ${proposalsIn(what as CommitRequest).join(', ')}${late}`;
  if (method !== 'assignAll') return `${method}s ${JSON.stringify(what).slice(0, 300)}${late}`;
  const answers = answer as readonly boolean[];
  const each = (what as readonly Assignment[]).map(({ host, generation, revision, replicas }, at) => {
    const list = replicas.map(({ id, spec }) => `${id}=${spec.image}`).join();
    return `${host} ${String(generation)} ${revision}: ${list}${answers[at] === true ? '' : ' refused'}`;
  });
  return `tells ${each.join(', ')}${late}`;
}
