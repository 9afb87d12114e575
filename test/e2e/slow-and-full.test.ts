import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
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
  /** What is not passed on yet, in order; undefined while all is passed on at once. */
  let held: (() => void)[] | undefined;
  /** Clients that wait for a list of containers which is held. */
  const waiting = new Set<Socket>();
  const pass = (act: () => void): void => {
    if (held) held.push(act);
    else act();
  };
  const server = createServer((client) => {
    const path = stage.lab.hosts[0]?.paths.dockerSocket ?? '';
    const upstream = connect(path);
    client
      .on('data', (chunk) => {
        if (held && chunk.includes('/containers/json')) waiting.add(client);
        upstream.write(chunk);
      })
      .on('close', () => {
        waiting.delete(client);
        upstream.destroy();
      })
      .on('error', () => upstream.destroy());
    upstream
      .on('data', (chunk) => {
        pass(() => {
          if (!client.destroyed) client.write(chunk);
        });
      })
      .on('close', () => {
        pass(() => client.destroy());
      })
      .on('error', () => client.destroy());
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
    held = [];
    await stage.until('a full pass waits for its list', () => waiting.size > 0, 120);
    const name = (
      await stage.sh('ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', 'external_ids:plumbline-ref="port/web-0"')
    ).out.trim();
    await stage.sh('ovs-vsctl', 'set', 'Port', name, 'tag=777');
    await stage.sh('sysctl', '-w', 'net.ipv4.tcp_keepalive_time=88');
    const lists = [...waiting];
    await stage.until('both are repaired', async () => {
      const tag = (await stage.sh('ovs-vsctl', 'get', 'Port', name, 'tag')).out.trim();
      const knob = (await stage.sh('cat', '/proc/sys/net/ipv4/tcp_keepalive_time')).out.trim();
      return tag === '100' && knob === '611';
    });
    assert.ok(
      lists.some((client) => waiting.has(client)),
      'the list that was asked for before is still waited for',
    );
  });

  it('still restarts what ends, once it answers', async () => {
    await stage.sh('docker', 'kill', 'plumb-web-1');
    await sleep(1000);
    const late = held ?? [];
    held = undefined;
    for (const act of late) act();
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
      // in ten seconds there are two full passes
      for (const end = Date.now() + 10_000; Date.now() < end && (await knob()) !== '611';) await sleep(100);
      if ((await knob()) !== '611') wrong = 700 + n;
    }
    await sleep(2000);
    assert.equal(await knob(), String(wrong));
    assert.equal(await startedAt(), starts);
    assert.match((await stage.status()).messages.join() + stage.said(), /DISK_FULL|full/i);
  });
  it('goes on by itself when there is space again', async () => {
    await stage.sh('rm', join(stage.state, 'ballast'));
    await stage.until('repaired', async () => (await knob()) === '611', 120);
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
