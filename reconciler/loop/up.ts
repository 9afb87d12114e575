import type { HostFacts } from '../model/replica.ts';
import type { HostStore } from '../model/store.ts';
import { createAgent, type Agent } from './agent/agent.ts';
import type { AgentOptions } from './agent/agent-state.ts';
import type { Log } from './log.ts';
import { createControl } from './control.ts';
import { createController, type Controller } from './controller/controller.ts';
import type { Repository } from './controller/repository.ts';
import { introduce } from './agent/introduce.ts';
import { readJournal, type LocalView } from './status/view.ts';

export interface UpOptions {
  readonly host: string;
  readonly facts: HostFacts;
  readonly repository: Repository;
  readonly store: HostStore;
  readonly agent: Pick<AgentOptions, 'providers' | 'health' | 'wall'>;
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly random: () => number;
  readonly log: Log;
}

export interface Up {
  /** Works until the signal aborts, then finishes what it has begun. */
  run(signal: AbortSignal): Promise<void>;
  readonly view: LocalView;
}

/** Controller and agent of one machine in one process. */
export function createUp(options: UpOptions): Up {
  const { store, host, facts, clock, log, repository, allowDeletions } = options;
  const controller: Controller = createController({
    repository,
    store,
    allowDeletions,
    clock,
    log,
  });
  const agent: Agent = createAgent({
    ...options.agent,
    host,
    facts,
    mailbox: store.mailbox,
    journal: store.journal,
    leases: store.leases,
    settled: store.settled,
    clock,
    random: options.random,
    log,
  });
  const control = createControl({ controller, repository, store, host, agent, leads: () => true, clock, log });
  return {
    view: {
      status: () => control.status(),
      known: () => control.known(),
      reports: (hosts) => store.mailbox.reports(hosts),
      settle: (...asked) => control.settle(...asked),
      journal: (...asked) => readJournal(store.journal, ...asked),
    },
    async run(signal) {
      await introduce({ host, facts, mailbox: store.mailbox, last: store.mailbox, clock, log }, signal);
      await Promise.all([agent.run(signal), control.run(signal)]);
    },
  };
}
