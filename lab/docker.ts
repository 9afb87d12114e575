import { request } from 'node:http';
import { PlumbError } from '../reconciler/model/errors.ts';

interface Reply {
  readonly status: number;
  readonly body: string;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout: number;
  readonly body?: Uint8Array;
}

/** One call to a lab host's dockerd over its socket. Throws DOCKER_UNAVAILABLE when no whole answer came. */
async function call(socketPath: string, method: string, path: string, options: CallOptions): Promise<Reply> {
  const deadline = AbortSignal.timeout(options.timeout);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  return await new Promise<Reply>((resolve, reject) => {
    const fail = (error: Error): void => {
      reject(new PlumbError('DOCKER_UNAVAILABLE', `no answer from ${socketPath}: ${error.message}`, {}, error));
    };
    const headers = {
      host: 'docker',
      'content-type': 'application/x-tar',
      'content-length': options.body?.length ?? 0,
    };
    const sent = request({ socketPath, method, path, headers, signal, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', fail);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') });
      });
    });
    sent.on('error', fail);
    sent.end(options.body);
  });
}

/** True when the dockerd behind the socket answers. */
export async function dockerAnswers(socketPath: string, signal?: AbortSignal): Promise<boolean> {
  try {
    return (await call(socketPath, 'GET', '/_ping', { signal, timeout: 2_000 })).status === 200;
  } catch {
    return false;
  }
}

/** Imports a root file system as `repository:tag`. Throws LAB_FAILED with dockerd's words. */
export async function importImage(
  socketPath: string,
  image: {
    readonly repository: string;
    readonly tag: string;
    readonly rootfs: Uint8Array;
    readonly changes: readonly string[];
  },
  signal?: AbortSignal,
): Promise<void> {
  const query = new URLSearchParams({ fromSrc: '-', repo: image.repository, tag: image.tag });
  for (const change of image.changes) query.append('changes', change);
  const reply = await call(socketPath, 'POST', `/images/create?${query.toString()}`, {
    signal,
    timeout: 60_000,
    body: image.rootfs,
  });
  // a failure half-way is a line of the 200 answer
  const failure = /"error":"([^"]*)"/.exec(reply.body)?.[1];
  if (reply.status !== 200 || failure !== undefined)
    throw new PlumbError(
      'LAB_FAILED',
      `importing ${image.repository}:${image.tag} failed: ${failure ?? reply.body.trim()}`,
    );
}
