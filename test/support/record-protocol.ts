// by hand, before the protocol changes: node dist/test/support/record-protocol.js DIST FILE
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fleetRig, versionAt } from './fleet-rig.ts';
import { dump, isSo, manifestsOf, readFiles, STEPS, untilSo } from './recording.ts';
import { single } from './redis.ts';

const [, , dist = '', file = ''] = process.argv;
const dir = mkdtempSync(join(tmpdir(), 'plumb-record-'));
const { home, url, servers } = await single();
const version = await versionAt(dist);
const rig = fleetRig({ dir, url });
const controller = await rig.controller('c1', version);
for (const host of ['h1', 'h2', 'h3']) await rig.agent(host, version);
for (const step of STEPS) {
  const revision = rig.commit(manifestsOf(step));
  await untilSo(
    'converged',
    () => controller.view.status(),
    (now) => isSo(now, revision, step.image === 2),
  );
}
await sleep(2000);
await rig.close();
const admin = servers[0]?.admin;
const recording = { redis: admin ? await dump(admin) : [], files: readFiles(dir) };
writeFileSync(file, `${JSON.stringify(recording, undefined, 1)}\n`);
await home.close();
rmSync(dir, { recursive: true, force: true });
