import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { dockerClient } from '../../../providers/containers/client.ts';
import type { DockerClient } from '../../../providers/containers/client.ts';
import { queryString } from '../../../providers/containers/exchange.ts';
import { PlumbError } from '../../../reconciler/model/errors.ts';

type Answer = (request: IncomingMessage, reply: ServerResponse) => void;

/** A daemon that answers `/version` and leaves the rest to `answer`; `version` may be another answer. */
async function daemon(
  answer: Answer,
  work: (client: DockerClient, paths: readonly string[]) => Promise<void>,
  version?: Answer,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'plumbline-daemon-'));
  const socketPath = join(directory, 'docker.sock');
  const paths: string[] = [];
  const server = createServer((request, reply) => {
    paths.push(request.url ?? '');
    if (request.url !== '/version') answer(request, reply);
    else if (version) version(request, reply);
    else reply.end('{"ApiVersion":"1.52","MinAPIVersion":"1.44","Arch":"amd64"}');
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const client = dockerClient(socketPath);
  try {
    await work(client, paths);
  } finally {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  }
}

const plenty = (): AbortSignal => AbortSignal.timeout(30_000);

function is(code: string): (error: unknown) => boolean {
  return (error) => error instanceof PlumbError && error.code === code;
}

describe('the client of dockerd', () => {
  it('speaks a version that the engine has, asked for once', async () => {
    await daemon(
      (_request, reply) => reply.end('[]'),
      async (client, paths) => {
        await Promise.all([client.containers.list({}, plenty()), client.containers.list({ name: ['^/a$'] }, plenty())]);
        await client.containers.list({}, plenty());
        assert.deepEqual(paths.filter((path) => path === '/version').length, 1);
        assert.equal(paths.filter((path) => path.startsWith('/v1.44/containers/json?all=1&filters=')).length, 3);
      },
    );
  });

  it('gives Docker’s words and status when it refuses, and does not take a body for a query', async () => {
    await daemon(
      (_request, reply) => reply.writeHead(409).end('{"message":"name is taken"}'),
      async (client, paths) => {
        await assert.rejects(client.containers.create('a', { Image: 'x'.repeat(100_000) }, plenty()), (error) => {
          assert.ok(error instanceof PlumbError);
          assert.equal(error.details['status'], 409);
          return error.message === 'Docker: name is taken';
        });
        assert.equal(paths.at(-1), '/v1.44/containers/create?name=a');
      },
    );
  });

  it('says DOCKER_UNAVAILABLE when nobody listens or nobody answers in time, CANCELLED when given up', async () => {
    const gone = dockerClient('/nonexistent/docker.sock');
    await assert.rejects(
      gone.containers.list({}, plenty()),
      (error) => is('DOCKER_UNAVAILABLE')(error) && /\/nonexistent/.test(String(error)),
    );
    await daemon(
      () => undefined,
      async (client) => {
        await assert.rejects(client.containers.list({}, AbortSignal.timeout(50)), is('DOCKER_UNAVAILABLE'));
        await assert.rejects(client.containers.act('a', 'stop', { deadline: 20 }, plenty()), is('DOCKER_UNAVAILABLE'));
        const stop = new AbortController();
        const asked = client.containers.list({}, stop.signal);
        setTimeout(() => {
          stop.abort();
        }, 20);
        await assert.rejects(asked, is('CANCELLED'));
        await assert.rejects(client.containers.list({}, AbortSignal.abort()), is('CANCELLED'));
      },
    );
  });

  it('lets one caller give up the first question without taking the others along', async () => {
    let release = (): void => undefined;
    await daemon(
      (_request, reply) => reply.end('[]'),
      async (client) => {
        const impatient = client.containers.list({}, AbortSignal.timeout(30));
        const patient = client.containers.list({}, plenty());
        await assert.rejects(impatient, is('DOCKER_UNAVAILABLE'));
        release();
        assert.deepEqual(await patient, []);
      },
      (_request, reply) => {
        release = () => reply.end('{"ApiVersion":"1.41","MinAPIVersion":"1.12"}');
      },
    );
  });

  it('frames events by line whatever the chunks, and says so when they break off', async () => {
    const line = (id: string): string =>
      `${JSON.stringify({ Type: 'container', Action: 'die', Actor: { ID: id, Attributes: { name: 'ä' } }, time: 1 })}\n`;
    await daemon(
      (_request, reply) => {
        const bytes = Buffer.from(line('a') + line('b'));
        const parts = Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1));
        const next = (): void => {
          const part = parts.shift();
          if (part) reply.write(part, next);
          else reply.destroy();
        };
        next();
      },
      async (client) => {
        const seen: string[] = [];
        const read = async (): Promise<void> => {
          for await (const event of await client.engine.events({}, undefined, plenty()))
            seen.push(`${event.id} ${event.attributes['name'] ?? ''}`);
        };
        await assert.rejects(read(), is('DOCKER_UNAVAILABLE'));
        assert.deepEqual(seen, ['a ä', 'b ä']);
      },
    );
  });

  it('tells an image that a registry refuses from a daemon that is away', async () => {
    const words = '{"status":"Pulling"}\n{"errorDetail":{},"error":"manifest unknown"}\n';
    await daemon(
      (_request, reply) => reply.end(words),
      async (client, paths) => {
        await assert.rejects(
          client.images.pull('reg:5000/a/b@sha256:12', plenty()),
          (error) => is('IMAGE_UNAVAILABLE')(error) && /reg:5000\/a\/b@sha256:12.*manifest unknown/.test(String(error)),
        );
        assert.match(paths.at(-1) ?? '', /fromImage=reg%3A5000%2Fa%2Fb&tag=sha256%3A12$/);
        await assert.rejects(client.images.pull('reg:5000/a/b', plenty()), is('IMAGE_UNAVAILABLE'));
        assert.match(paths.at(-1) ?? '', /fromImage=reg%3A5000%2Fa%2Fb&tag=latest$/);
      },
    );
    await assert.rejects(dockerClient('/nonexistent/docker.sock').images.pull('a', plenty()), is('DOCKER_UNAVAILABLE'));
  });

  it('writes queries as Docker reads them', () => {
    assert.equal(queryString({}), '');
    assert.equal(
      queryString({ all: 1, filters: { name: ['^/a$'] } }),
      '?all=1&filters=%7B%22name%22%3A%5B%22%5E%2Fa%24%22%5D%7D',
    );
    assert.equal(queryString({ changes: ['A b', 'C'] }), '?changes=A+b&changes=C');
  });
});
