import type { FleetStore, Journal, Leases } from '../model/store.ts';
import { PlumbError } from '../model/errors.ts';
import type { Log } from './log.ts';
import { createControl } from './control.ts';
import { fleetStatus } from './fleet-status.ts';
import type { Status } from './status/status.ts';
import { createController } from './controller/controller.ts';
import type { Repository } from './controller/repository.ts';
import { CONTROLLER_LEASE, controllerIn } from './hearing.ts';
import { createLeader } from './controller/leader.ts';
import { pause } from './pause.ts';
import { shipJournal } from './shipping.ts';
import { readJournals, type LocalView } from './status/view.ts';

export interface FleetControllerOptions {
  /** Who this is, among the controllers of the fleet: its name, and after a slash what no other has. */
  readonly holder: string;
  readonly repository: Repository;
  readonly store: FleetStore;
  /** What this controller tells, on its own disk, which is the one that counts; the store gets a copy. */
  readonly journal: Journal;
  readonly allowDeletions: boolean;
  readonly clock: () => number;
  readonly log: Log;
}

export interface FleetController {
  /** Competes to lead, and leads, until the signal aborts. Throws PROTOCOL_MISMATCH when it does not understand who led before. */
  run(signal: AbortSignal): Promise<void>;
  readonly view: LocalView;
}

/** How long a controller's leases last without being renewed, milliseconds. */
const CONTROLLER_TTL = 8_000;

function titleOf(holder: string): string {
  return `${CONTROLLER_LEASE}/${controllerIn(holder)}`;
}

/** Takes the name of a controller, before its journal is touched; `run` keeps it. Throws STORE_LOCKED when another has it. */
export async function claimName(leases: Leases, holder: string): Promise<void> {
  if (await leases.acquire(titleOf(holder), holder, CONTROLLER_TTL)) return;
  const other = (await leases.get(titleOf(holder)))?.holder ?? 'another';
  throw new PlumbError(
    'STORE_LOCKED',
    `a controller ${controllerIn(holder)} (${other}) runs already: it names a journal; stop it, or give this one another --name`,
  );
}

/** One of any number of controllers of a fleet: one leads, the others stand by and take over when its lease runs out. */
export function createFleetController(options: FleetControllerOptions): FleetController {
  const { holder, repository, journal, allowDeletions, clock, log } = options;
  const store = { ...options.store, journal };
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
      controller.takeOver();
      void mayLead();
      control.ring();
      const message = `${controllerIn(holder)} leads`;
      journal
        .append([{ type: 'event', host: '', level: 'info', reason: 'Leading', message }])
        .catch((error: unknown) => log.warn({ err: error }, 'event not journaled'));
    },
  });
  const named = createLeader({
    leases: store.leases,
    name: titleOf(holder),
    holder,
    ttl: CONTROLLER_TTL,
    clock,
    log,
    onChange: () => undefined,
  });
  const leads = (): boolean => leader.leads();
  const end = new AbortController();
  let refused: PlumbError | undefined;

  /** One that does not understand who led before gives way to others: what that one remembers must be gone on with. */
  async function mayLead(): Promise<void> {
    try {
      await store.bulletin.read();
    } catch (error) {
      if (!(error instanceof PlumbError) || error.code !== 'PROTOCOL_MISMATCH') return; // a pass says so
      refused = error;
      end.abort();
    }
  }

  // what was written last may be lost: all is read again, and told where it is
  store.onBack(() => {
    controller.storeIsBack();
    control.ring();
  });
  const controller = createController({ repository, store, allowDeletions, clock, log, fleet: leader });
  const control = createControl({ controller, repository, store, host: '', leads, clock, log });
  const led = (status: Status): Status => ({ ...status, leader: controllerIn(holder) });
  return {
    view: {
      status: async () =>
        leads() && controller.view().notice ? led(await control.status()) : fleetStatus(store, clock()),
      known: () => control.known(),
      reports: (hosts) => store.mailbox.reports(hosts),
      journal: (...asked) => readJournals(store.journals, ...asked),
      settle: async (signal, allow) => {
        for (; !leads() && !signal.aborted; await pause(100, signal)) {
          const other = (await store.leases.get(CONTROLLER_LEASE))?.holder ?? holder;
          if (other !== holder)
            throw new PlumbError('CONFLICT', `controller ${other} leads the fleet now, not ${holder}; ask there`);
        }
        return led(await control.settle(signal, allow));
      },
    },
    run: async (signal) => {
      void mayLead();
      const over = AbortSignal.any([signal, end.signal]);
      // it leads until its last pass is over, as another one would overtake it, and ships what that tells
      const done = new AbortController();
      const shipping = shipJournal({ near: journal, far: store.journals, log }, done.signal);
      const working = control.run(over).finally(() => {
        done.abort();
      });
      await Promise.all([named.run(done.signal), leader.run(done.signal), working, shipping]);
      if (refused) throw refused;
    },
  };
}
