/** What Docker's API answers, reduced to what is used here and checked when it comes in. */

/** One line of `GET /containers/json`. */
export interface ContainerRow {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** created, running, paused, restarting, removing, exited, dead. */
  readonly state: string;
  /** Words, as `Exited (137) 3 seconds ago`. */
  readonly status: string;
  readonly networkMode: string;
  /** Milliseconds since 1970 of its end, where that was heard: the list has no such column. */
  readonly endedAt?: number;
}

export interface ImageRow {
  readonly id: string;
  /** `name@sha256:…` where a registry knows it. */
  readonly digest?: string;
}

/** One line of the event stream. */
export interface DockerEvent {
  /** container or image. */
  readonly type: string;
  /** die, start, destroy, rename, oom, … */
  readonly action: string;
  readonly id: string;
  /** Labels among them, for containers. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Seconds since 1970 by Docker's clock. */
  readonly time: number;
  /** The same in milliseconds since 1970. */
  readonly at: number;
}

export interface EngineVersion {
  /** As `1.41`. */
  readonly api: string;
  readonly minApi: string;
  /** Docker's word for the processor: amd64, arm64. */
  readonly arch: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** An object's members; an empty one for anything else. */
export function fieldsOf(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : {};
}

/** A member as text; empty when it is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fieldsOf(value)).map(([key, text]) => [key, textOf(text)]));
}

/** The rows of a container list. */
export function parseRows(reply: unknown): readonly ContainerRow[] {
  return listOf(reply).map((item) => {
    const row = fieldsOf(item);
    return {
      id: textOf(row['Id']),
      name: textOf(listOf(row['Names'])[0]).replace(/^\//, ''),
      image: textOf(row['Image']),
      imageId: textOf(row['ImageID']),
      labels: textsOf(row['Labels']),
      state: textOf(row['State']),
      status: textOf(row['Status']),
      networkMode: textOf(fieldsOf(row['HostConfig'])['NetworkMode']),
    };
  });
}

/** An image as `GET /images/REFERENCE/json` describes it. */
export function parseImage(reply: unknown): ImageRow {
  const image = fieldsOf(reply);
  const digest = textOf(listOf(image['RepoDigests'])[0]);
  return { id: textOf(image['Id']), ...(digest === '' ? {} : { digest }) };
}

/** One line of the event stream; undefined for a line that is none. */
export function parseEvent(line: string): DockerEvent | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const event = fieldsOf(parsed);
  const actor = fieldsOf(event['Actor']);
  if (textOf(event['Type']) === '') return undefined;
  return {
    type: textOf(event['Type']),
    action: textOf(event['Action']),
    id: textOf(actor['ID']),
    attributes: textsOf(actor['Attributes']),
    time: numberOf(event['time']),
    at: Math.floor(numberOf(event['timeNano']) / 1e6),
  };
}

/** The engine's versions and processor. */
export function parseVersion(reply: unknown): EngineVersion {
  const version = fieldsOf(reply);
  return {
    api: textOf(version['ApiVersion']),
    minApi: textOf(version['MinAPIVersion']),
    arch: textOf(version['Arch']),
  };
}

/** The text of a multiplexed stream (8-byte header: stream, three zeros, big-endian length) of stdout and stderr. */
export function demultiplex(stream: Buffer): string {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 8 <= stream.length) {
    const length = stream.readUInt32BE(at + 4);
    parts.push(stream.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The version to speak: the newest tried with Plumbline, 1.44, as far as the engine goes along with it. */
export function chooseApi(engine: EngineVersion): string {
  const rank = (version: string): number => Number(version.split('.')[0]) * 1000 + Number(version.split('.')[1]);
  const best = '1.44';
  if (rank(engine.api) < rank(best)) return engine.api;
  return rank(engine.minApi) > rank(best) ? engine.minApi : best;
}
