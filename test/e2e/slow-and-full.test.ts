import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyJournal } from '../../reconciler/store/journal/read.ts';
import { journalDirectory } from '../../reconciler/store/embedded/embedded.ts';
import { app, base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

const TUNING =
  'apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: t }\nspec: { hosts: {}, sysctls: { net.ipv4.tcp_keepalive_time: 611 } }\n';

describe('a Docker that is slow', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  let delay = 0;
  const server = createServer((client) => {
    const path = stage.lab.hosts[0]?.paths.dockerSocket ?? '';
    const upstream = connect(path);
    client
      .on('data', (chunk) => upstream.write(chunk))
      .on('close', () => upstream.destroy())
      .on('error', () => upstream.destroy());
    upstream.on('data', (chunk) => setTimeout(() => !client.destroyed && client.write(chunk), delay));
    upstream.on('close', () => setTimeout(() => client.destroy(), delay)).on('error', () => client.destroy());
  });
  before(async () => {
    stage = await setStage('slow', { ...base(), 'web.yaml': app('web', '  replicas: 2'), 'tuning.yaml': TUNING });
    const socket = join(stage.dir, 'slow.sock');
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await stage.up('--docker-socket', socket);
    await stage.converged();
  });
  after(async () => {
    await stage.down();
    server.close();
  });

  it('holds up no repair that needs no Docker', async () => {
    delay = 8000;
    await stage.view.known();
    const name = (
      await stage.sh('ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', 'external_ids:plumbline-ref="port/web-0"')
    ).out.trim();
    await sleep(9000); // a full pass is waiting for its list by now
    const began = Date.now();
    await stage.sh('ovs-vsctl', 'set', 'Port', name, 'tag=777');
    await stage.sh('sysctl', '-w', 'net.ipv4.tcp_keepalive_time=88');
    for (;;) {
      const tag = (await stage.sh('ovs-vsctl', 'get', 'Port', name, 'tag')).out.trim();
      const knob = (await stage.sh('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')).out.trim();
      if (tag === '100' && knob === '611') break;
      assert.ok(Date.now() - began < 7000, `after ${String(Date.now() - began)} ms: tag ${tag}, knob ${knob}`);
      await sleep(20);
    }
  });

  it('still restarts what ends, once it answers', async () => {
    await stage.sh('docker', 'kill', 'plumb-web-1');
    await sleep(1000);
    delay = 0;
    await stage.converged();
  });
});

describe('a state directory whose disk is full', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  let starts = '';
  const startedAt = async (): Promise<string> =>
    (await stage.sh('docker', 'inspect', '-f', '{{.State.StartedAt}}', 'plumb-web-0')).out;
  before(async () => {
    stage = await setStage('full', { ...base(), 'web.yaml': app('web', '  replicas: 2'), 'tuning.yaml': TUNING });
    mkdirSync(stage.state);
    await stage.sh('mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', stage.state);
    await stage.up('--socket', join(stage.dir, 'plumb.sock'));
    await stage.converged();
    starts = await startedAt();
  });
  after(async () => {
    await stage.down();
  });
  const fill = (): Promise<unknown> =>
    stage.sh('sh', '-c', `dd if=/dev/zero of=${stage.state}/ballast bs=4k 2>/dev/null; true`);
  const knob = async (): Promise<string> => (await stage.sh('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')).out.trim();

  it('makes no change without a journaled intent, and leaves what runs alone', async () => {
    await fill();
    // the page that the journal ends in takes a few entries more
    let wrong = 0;
    for (let n = 0; n < 40 && wrong === 0; n += 1) {
      await stage.sh('sysctl', '-w', `net.ipv4.tcp_keepalive_time=${String(700 + n)}`);
      await sleep(1500);
      if ((await knob()) !== '611') wrong = 700 + n;
    }
    await sleep(2000);
    assert.equal(await knob(), String(wrong));
    assert.equal(await startedAt(), starts);
    assert.match((await stage.status()).messages.join() + stage.said(), /DISK_FULL|full/i);
  });
  it('goes on by itself when there is space again', async () => {
    await stage.sh('rm', join(stage.state, 'ballast'));
    for (let tries = 0; tries < 300 && (await knob()) !== '611'; tries += 1) await sleep(100);
    assert.equal(await knob(), '611');
    await stage.converged();
  });
  it('says so when it is started on a full disk', async () => {
    await stage.stop();
    await fill();
    const { code, err } = await stage.sh(
      process.execPath,
      'bin/plumb',
      'up',
      '--repo',
      stage.repo,
      '--host',
      'h1',
      '--state-dir',
      stage.state,
      '--socket',
      join(stage.dir, 'p.sock'),
    );
    assert.equal(code, 1);
    assert.match(err, /DISK_FULL/);
    await stage.sh('rm', join(stage.state, 'ballast'));
  });
  it('has an unbroken chain', async () => {
    const copy = join(stage.dir, 'copy');
    await stage.sh('cp', '-r', stage.state, copy);
    assert.ok((await verifyJournal(journalDirectory(copy))).entries > 0);
  });
});
