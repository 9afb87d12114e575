import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The program of Debian's docker-registry; undefined where it is not installed. */
export const REGISTRY: string | undefined = ['/usr/bin/docker-registry', '/usr/local/bin/docker-registry'].find(
  (path) => existsSync(path),
);

/** A registry on the loopback of this namespace, with nothing in it. */
export interface Registry {
  /** `127.0.0.1:PORT`: the first part of its images' names. Docker takes a loopback registry without TLS. */
  readonly name: string;
  close(): Promise<void>;
}

/** Starts the registry program of the Docker project on a free port. */
export async function startRegistry(): Promise<Registry> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const name = `127.0.0.1:${String(port)}`;
  const directory = mkdtempSync(join(tmpdir(), 'plumb-registry-'));
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'blobs') } },
    http: { addr: name },
  };
  const file = join(directory, 'config.yml');
  writeFileSync(file, JSON.stringify(settings)); // JSON is YAML
  const child = spawn(REGISTRY ?? 'docker-registry', ['serve', file], { stdio: 'ignore' });
  for (let attempt = 0; attempt < 200; attempt++) {
    if (
      await fetch(`http://${name}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    await sleep(50);
  }
  return {
    name,
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
