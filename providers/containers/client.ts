import type { IncomingMessage } from 'node:http';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { linesOf, statusOf, stream, transport } from './transport.ts';
import type { Transport } from './transport.ts';
import { demultiplex, fieldsOf, parseEvent, parseImage, parseRows, textOf } from './wire.ts';
import type { ContainerRow, DockerEvent, EngineVersion, ImageRow } from './wire.ts';

export type Filters = Readonly<Record<string, readonly string[]>>;

/** Calls that change or look at one container. Those of a container that is not there throw with `details.status` 404. */
export interface ContainerCalls {
  list(filters: Filters, signal: AbortSignal): Promise<readonly ContainerRow[]>;
  /** Gives the id. */
  create(name: string, body: object, signal: AbortSignal): Promise<string>;
  /** `POST /containers/ID/VERB`. What is so already is no error. `deadline` in milliseconds. */
  act(
    id: string,
    verb: 'start' | 'stop' | 'kill' | 'pause' | 'unpause' | 'update' | 'wait',
    options: {
      readonly query?: Readonly<Record<string, string | number>>;
      readonly body?: object;
      readonly deadline?: number;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** By force, with its anonymous volumes. False when it was gone. */
  remove(id: string, signal: AbortSignal): Promise<boolean>;
  /** Process id as the daemon sees it; 0 when not running. */
  pid(id: string, signal: AbortSignal): Promise<number>;
}

export interface ImageCalls {
  find(reference: string, signal: AbortSignal): Promise<ImageRow | undefined>;
  /** Throws IMAGE_UNAVAILABLE with the registry's words. */
  pull(reference: string, signal: AbortSignal): Promise<void>;
  /** Makes an image `name:tag` of a tar of its root directory; `changes` are Dockerfile lines. */
  import(tar: Buffer, name: string, tag: string, changes: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface EngineCalls {
  version(signal: AbortSignal): Promise<EngineVersion>;
  /** The stream from now, or from `since` (seconds by Docker's clock), until it breaks or the signal aborts. Resolves once connected. */
  events(filters: Filters, since: number | undefined, signal: AbortSignal): Promise<AsyncIterable<DockerEvent>>;
  /** Runs a command in a container until it ends or the signal aborts, then it is killed. */
  exec(
    id: string,
    command: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
}

/** The daemon as the provider needs it. Every call has a deadline; a daemon that does not answer is DOCKER_UNAVAILABLE. */
export interface DockerClient {
  readonly containers: ContainerCalls;
  readonly images: ImageCalls;
  readonly engine: EngineCalls;
  /** Closes idle connections. */
  close(): void;
}

const PULL_DEADLINE = 1_800_000;

function containerCalls(docker: Transport): ContainerCalls {
  const at = (id: string): string => `/containers/${encodeURIComponent(id)}`;
  return {
    list: async (filters, signal) =>
      parseRows(await docker.call({ method: 'GET', path: '/containers/json', query: { all: 1, filters } }, signal)),
    create: async (name, body, signal) =>
      textOf(
        fieldsOf(await docker.call({ method: 'POST', path: '/containers/create', query: { name }, body }, signal))[
          'Id'
        ],
      ),
    act: async (id, verb, options, signal) => {
      await docker.call({ method: 'POST', path: `${at(id)}/${verb}`, ...options }, signal);
    },
    remove: async (id, signal) => {
      try {
        await docker.call({ method: 'DELETE', path: at(id), query: { force: 1, v: 1 } }, signal);
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw error;
      }
    },
    pid: async (id, signal) => {
      const state = fieldsOf(fieldsOf(await docker.call({ method: 'GET', path: `${at(id)}/json` }, signal))['State']);
      return typeof state['Pid'] === 'number' ? state['Pid'] : 0;
    },
  };
}

/** `name`, `name:tag` or `name@digest` as the two parameters of a pull. */
function pullQuery(reference: string): { readonly fromImage: string; readonly tag: string } {
  const digest = reference.indexOf('@');
  const colon = digest >= 0 ? digest : reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/')
    ? { fromImage: reference.slice(0, colon), tag: reference.slice(colon + 1) }
    : { fromImage: reference, tag: 'latest' };
}

function imageCalls(docker: Transport): ImageCalls {
  return {
    find: async (reference, signal) => {
      try {
        // a reference's slashes belong to the path
        return parseImage(await docker.call({ method: 'GET', path: `/images/${encodeURI(reference)}/json` }, signal));
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    pull: async (reference, signal) => {
      const unavailable = (words: string, cause?: unknown): PlumbError =>
        new PlumbError(
          'IMAGE_UNAVAILABLE',
          `image ${reference} is neither on this host nor can it be pulled: ${words}; check the name, or bring it here with "docker load"`,
          { reference },
          cause,
        );
      const within = AbortSignal.any([signal, AbortSignal.timeout(PULL_DEADLINE)]);
      let progress: IncomingMessage;
      try {
        progress = await stream(
          docker,
          { method: 'POST', path: '/images/create', query: pullQuery(reference), deadline: PULL_DEADLINE },
          within,
        );
      } catch (error) {
        if (statusOf(error) === undefined) throw error;
        throw unavailable(error instanceof Error ? error.message.replace(/^Docker: /, '') : String(error), error);
      }
      let failure = '';
      try {
        for await (const line of linesOf(progress)) failure = pullFailure(line) || failure;
      } catch (error) {
        if (signal.aborted) throw new PlumbError('CANCELLED', `pulling ${reference} was given up`, {}, error);
        throw error;
      }
      if (failure !== '') throw unavailable(failure);
    },
    import: async (tar, name, tag, changes, signal) => {
      await docker.call(
        { method: 'POST', path: '/images/create', query: { fromSrc: '-', repo: name, tag, changes }, file: tar },
        signal,
      );
    },
  };
}

function pullFailure(line: string): string {
  try {
    return textOf(fieldsOf(JSON.parse(line))['error']);
  } catch {
    return '';
  }
}

const OUTPUT_LIMIT = 16_384;

function engineCalls(docker: Transport): EngineCalls {
  return {
    version: (signal) => docker.version(signal),
    events: async (filters, since, signal) => {
      const query = { filters, ...(since === undefined ? {} : { since }) };
      return eventsOf(await stream(docker, { method: 'GET', path: '/events', query }, signal));
    },
    exec: async (id, command, signal) => {
      const made = await docker.call(
        {
          method: 'POST',
          path: `/containers/${encodeURIComponent(id)}/exec`,
          body: { AttachStdout: true, AttachStderr: true, Cmd: command },
        },
        signal,
      );
      const path = `/exec/${textOf(fieldsOf(made)['Id'])}`;
      const state = async () =>
        fieldsOf(await docker.call({ method: 'GET', path: `${path}/json` }, AbortSignal.timeout(5000)));
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        const reply = await stream(docker, { method: 'POST', path: `${path}/start`, body: { Detach: false } }, signal);
        for await (const chunk of reply as AsyncIterable<Buffer>) {
          if (size < OUTPUT_LIMIT) chunks.push(chunk);
          size += chunk.length;
        }
        if (signal.aborted) throw new PlumbError('TIMEOUT', `${String(command[0])} did not end in time`);
      } catch (error) {
        if (!signal.aborted) throw error;
        // Docker leaves the process behind; it must not pile up with each probe
        const { Running: running, Pid: pid } = await state();
        if (running === true && typeof pid === 'number' && pid > 1) kill(pid);
        throw new PlumbError('TIMEOUT', `${String(command[0])} did not end in time`, {}, error);
      }
      const { ExitCode: exitCode } = await state();
      return { exitCode: typeof exitCode === 'number' ? exitCode : -1, output: demultiplex(Buffer.concat(chunks)) };
    },
  };
}

async function* eventsOf(reply: IncomingMessage): AsyncIterable<DockerEvent> {
  for await (const line of linesOf(reply)) {
    const event = parseEvent(line);
    if (event) yield event;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}

/** The client of the daemon behind a unix socket. Connects at the first call. */
export function dockerClient(socketPath = '/var/run/docker.sock'): DockerClient {
  const docker = transport(socketPath);
  return {
    containers: containerCalls(docker),
    images: imageCalls(docker),
    engine: engineCalls(docker),
    close: () => {
      docker.close();
    },
  };
}
