import type { DockerClient } from './client.ts';
import type { ContainerRow, DockerEvent } from './wire.ts';

/** How long dockerd's list may lag behind its own events, in milliseconds; 10 to 30 were seen. */
const LAG = 2_000;

/** The end of a container, as it was heard. */
export interface Death {
  readonly exitCode: string;
  /** Milliseconds since 1970, as Docker says. */
  readonly at: number;
}

/** A client that believes the news of a death or a pause before the list of containers tells it. */
export interface Believing {
  readonly client: DockerClient;
  /** Hears an event. */
  readonly note: (event: DockerEvent) => void;
  /** The end of a container that has not been started again since. */
  readonly deathOf: (id: string) => Death | undefined;
}

/**
 * dockerd sends the event of a container's end, or of its pause, before its list shows it, so who looks at once sees it running. What was
 * heard to die is shown as exited until the list says so itself, it is started again, or the lag is over; so is what was paused.
 */
export function believing(client: DockerClient, clock: () => number = Date.now): Believing {
  const deaths = new Map<string, Death & { readonly heard: number }>();
  /** When which was heard to be paused. */
  const pauses = new Map<string, number>();

  function corrected(row: ContainerRow): ContainerRow {
    const death = deaths.get(row.id);
    if (!death) return held(row);
    if (row.state !== 'running') return { ...row, endedAt: death.at };
    if (clock() - death.heard < LAG)
      return { ...row, state: 'exited', status: `Exited (${death.exitCode}) just now`, endedAt: death.at };
    deaths.delete(row.id);
    return row;
  }

  function held(row: ContainerRow): ContainerRow {
    const heard = pauses.get(row.id);
    if (heard === undefined) return row;
    if (row.state === 'running' && clock() - heard < LAG)
      return { ...row, state: 'paused', status: `${row.status} (Paused)` };
    pauses.delete(row.id);
    return row;
  }

  const { containers } = client;
  return {
    client: {
      ...client,
      containers: {
        ...containers,
        list: async (filters, signal) => (await containers.list(filters, signal)).map(corrected),
        act: (id, verb, options, signal) => {
          if (verb === 'start') deaths.delete(id);
          if (verb === 'unpause') pauses.delete(id);
          return containers.act(id, verb, options, signal);
        },
      },
    },
    note: ({ action, id, attributes, at }) => {
      if (action === 'die') deaths.set(id, { exitCode: attributes['exitCode'] ?? '0', at, heard: clock() });
      else if (action === 'start' || action === 'destroy') deaths.delete(id);
      if (action === 'pause') pauses.set(id, clock());
      else if (['unpause', 'die', 'start', 'destroy'].includes(action)) pauses.delete(id);
    },
    deathOf: (id) => deaths.get(id),
  };
}
