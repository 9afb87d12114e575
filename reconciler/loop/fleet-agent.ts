import type { Notice } from '../model/notice.ts';
import type { Assignment, HostFacts } from '../model/replica.ts';
import type { FleetStore, HostStore } from '../model/store.ts';
import { createAgent } from './agent/agent.ts';
import type { AgentOptions } from './agent/agent-state.ts';
import type { Log } from './log.ts';
import { knownOf, statusFrom } from './control.ts';
import { PlumbError } from '../model/errors.ts';
import { createMembership } from './agent/membership.ts';
import { introduce } from './agent/introduce.ts';
import { shipJournal } from './shipping.ts';
import { readJournal, type LocalView } from './status/view.ts';

export interface FleetAgentOptions {
  readonly host: string;
  readonly holder: string;
  readonly facts: HostFacts;
  /** The store of the fleet. */
  readonly far: Pick<FleetStore, 'mailbox' | 'leases' | 'journals' | 'onBack'>;
  /** What this machine keeps: last Assignment, last Report, journal. */
  readonly near: HostStore;
  readonly agent: Pick<AgentOptions, 'providers' | 'health' | 'wall'>;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: Log;
}

export interface FleetAgent {
  /** Works until the signal aborts, then finishes what it has begun. Throws STORE_LOCKED when another agent speaks for the host. */
  run(signal: AbortSignal): Promise<void>;
  readonly view: LocalView;
}

/** The agent of one host of a fleet. Without store and controller it keeps to its last Assignment, for ever. */
export function createFleetAgent(options: FleetAgentOptions): FleetAgent {
  const { host, holder, facts, far, near, clock, random, log } = options;
  const membership = createMembership({ host, holder, far, near: near.mailbox, clock, random, log });
  const { mailbox } = membership;
  // what it was told last may be lost
  far.onBack(() => {
    membership.resend();
  });
  const agent = createAgent({
    ...options.agent,
    host,
    facts,
    mailbox,
    journal: near.journal,
    clock,
    random,
    log,
    leases: near.leases,
    settled: near.settled,
    tokens: far.leases,
  });
  return {
    view: {
      status: async () => {
        const known = await knownOf(near);
        const placements = new Map(
          known.assignments.flatMap(({ replicas }) => replicas.map(({ id, placement }) => [id, placement] as const)),
        );
        const [mine] = known.assignments;
        // least rights do not let it read the bulletin: of itself it knows by what it was told
        const notice = mine && ownNotice(mine);
        const seen = statusFrom({ ...known, snapshot: { ...known.snapshot, placements } }, notice);
        const trouble = membership.trouble() ?? (mine ? undefined : untold(host));
        return trouble === undefined ? seen : { ...seen, messages: [trouble, ...seen.messages] };
      },
      known: () => knownOf(near),
      reports: (hosts) => near.mailbox.reports(hosts),
      journal: (...asked) => readJournal(near.journal, ...asked),
      settle: () =>
        Promise.reject(new PlumbError('USAGE', `a plumb agent runs here: ask plumb controller to converge the fleet`)),
    },
    async run(signal) {
      await introduce({ host, facts, mailbox, last: near.mailbox, clock, log }, signal);
      const end = new AbortController();
      const over = AbortSignal.any([signal, end.signal]);
      try {
        const shipping = shipJournal({ near: near.journal, far: far.journals, log }, over);
        await Promise.all([agent.run(over), membership.run(over), shipping]);
      } finally {
        end.abort();
      }
    },
  };
}

/** What an Assignment says of the whole, for a host that looks at itself alone. */
function ownNotice({ revision }: Assignment): Notice {
  const source = { url: '', ref: '', revision, fetchedAt: 0 };
  return { source, published: revision, problems: 0, unplaceable: [], held: [], waiting: 0, lost: [], awaited: [] };
}

function untold(host: string): string {
  return `nobody has told this host anything so far: Git has no Host ${host}, or no controller leads`;
}
