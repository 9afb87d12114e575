import type { FleetStore } from '../model/store.ts';
import { PlumbError } from '../model/errors.ts';
import type { Log } from './agent-state.ts';
import { createControl } from './control.ts';
import { fleetStatus } from './fleet-status.ts';
import { createController, type Repository } from './controller.ts';
import { CONTROLLER_LEASE } from './hearing.ts';
import { createLeader } from './leader.ts';
import { pause } from './pause.ts';
import { readJournals, type LocalView } from './view.ts';

export interface FleetControllerOptions {
  /** Who this is, among the controllers of the fleet: its name, and after a slash what no other has. */
  readonly holder: string;
  readonly repository: Repository;
  readonly store: FleetStore;
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly log: Log;
}

export interface FleetController {
  /** Takes the name; to be done before `run`, which keeps it. Throws STORE_LOCKED when another controller has it. */
  claim(): Promise<void>;
  /** Competes to lead, and leads, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  readonly view: LocalView;
}

/** How long a controller's leases last without being renewed, milliseconds. */
const CONTROLLER_TTL = 8_000;

/** One of any number of controllers of a fleet: one leads, the others stand by and take over when its lease runs out. */
export function createFleetController(options: FleetControllerOptions): FleetController {
  const { holder, repository, store, allowDeletions, clock, log } = options;
  const leader = createLeader({
    leases: store.leases,
    name: CONTROLLER_LEASE,
    holder,
    ttl: CONTROLLER_TTL,
    clock,
    log,
    onChange: (leads) => {
      log.info({ holder }, leads ? 'leads' : 'stands by');
      if (!leads) return;
      control.ring();
      const message = `${holder.split('/')[0] ?? ''} leads`;
      store.journal
        .append([{ type: 'event', host: '', level: 'info', reason: 'Leading', message }])
        .catch((error: unknown) => log.warn({ err: error }, 'event not journaled'));
    },
  });
  const [name = holder] = holder.split('/');
  const title = `${CONTROLLER_LEASE}/${name}`;
  const named = createLeader({
    leases: store.leases,
    name: title,
    holder,
    ttl: CONTROLLER_TTL,
    clock,
    log,
    onChange: () => undefined,
  });
  const leads = (): boolean => leader.leads();
  const controller = createController({ repository, store, allowDeletions, clock, log, fleet: { leads } });
  const control = createControl({ controller, store, host: '', leads, clock, log });
  return {
    claim: async () => {
      if (await store.leases.acquire(title, holder, CONTROLLER_TTL)) return;
      const other = (await store.leases.get(title))?.holder ?? 'another';
      throw new PlumbError(
        'STORE_LOCKED',
        `a controller ${name} (${other}) runs already: it names a journal; stop it, or give this one another --name`,
      );
    },
    view: {
      status: () => (leads() ? control.status() : fleetStatus(store, clock())),
      known: () => control.known(),
      journal: (...asked) => readJournals(store.journals, ...asked),
      settle: async (signal, allow) => {
        for (; !leads() && !signal.aborted; await pause(100, signal)) {
          const other = (await store.leases.get(CONTROLLER_LEASE))?.holder ?? holder;
          if (other !== holder)
            throw new PlumbError('CONFLICT', `controller ${other} leads the fleet now, not ${holder}; ask there`);
        }
        return control.settle(signal, allow);
      },
    },
    run: async (signal) => {
      await Promise.all([named.run(signal), leader.run(signal), control.run(signal)]);
    },
  };
}
