import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { app, base, NEEDS_ROOT, setStage, type Said, type Stage } from '../support/stage.ts';

const web = (limit: string): string =>
  app('web', `  replicas: 2\n  resources: { memory: { limit: ${limit} }, pids: 50 }`);
const tuning = (keepalive: number): string =>
  `apiVersion: plumbline/v1\nkind: Tuning\nmetadata: { name: base }\nspec: { hosts: {}, sysctls: { net.ipv4.tcp_keepalive_time: ${String(keepalive)} } }\n`;

describe('why a process that has just started changes something', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  let seen = 0;
  before(async () => {
    stage = await setStage('because', { ...base(), 'web.yaml': web('64Mi'), 'tuning.yaml': tuning(611) });
    await applied();
  });
  after(async () => {
    await stage.down();
  });

  const apply = (...more: readonly string[]): Promise<Said> =>
    stage.plumb('apply', '--repo', stage.repo, '--ref', 'main', '--host', 'h1', ...more);
  /** Applies once, with nothing else running; gives what was changed since the last time, with why. */
  async function applied(): Promise<readonly string[]> {
    const { code, out, err } = await apply();
    assert.equal(code, 0, out + err);
    const entries = (await stage.plumb('events', '-n', '1000', '-o', 'json')).out.trim().split('\n');
    const intents = entries
      .map((line) => JSON.parse(line) as { seq: number; type: string; ref: string; because: string })
      .filter(({ type, seq }) => type === 'intent' && seq > seen);
    seen = Math.max(seen, ...intents.map(({ seq }) => seq));
    return intents.map(({ ref, because }) => `${ref}: ${because}`).sort();
  }

  it('a commit that came while nothing ran is a change', async () => {
    stage.commit({ 'web.yaml': web('80Mi'), 'tuning.yaml': tuning(612) });
    assert.deepEqual(await applied(), [
      'cgroup/web-0: spec changed',
      'cgroup/web-1: spec changed',
      'sysctl/net.ipv4.tcp_keepalive_time: spec changed',
    ]);
  });
  it('what somebody did meanwhile is drift, also beside a commit', async () => {
    const { out: port } = await stage.sh(
      ...['ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', 'external_ids:plumbline-ref="port/web-0"'],
    );
    await stage.sh('ovs-vsctl', 'set', 'Port', port.trim(), 'tag=999');
    await stage.sh('sysctl', '-w', 'net.ipv4.tcp_keepalive_time=700');
    stage.commit({ 'web.yaml': web('96Mi') });
    assert.deepEqual(await applied(), [
      'cgroup/web-0: spec changed',
      'cgroup/web-1: spec changed',
      'port/web-0: drift',
      'sysctl/net.ipv4.tcp_keepalive_time: drift',
    ]);
  });
  it('a commit that the last one could not act on is a change all the same', async () => {
    await stage.lab.daemon('h1', 'dockerd', 'stop');
    stage.commit({ 'web.yaml': web('112Mi') });
    const { code } = await apply('--timeout', '5');
    assert.equal(code, 1);
    await stage.lab.daemon('h1', 'dockerd', 'start');
    assert.deepEqual(await applied(), ['cgroup/web-0: spec changed', 'cgroup/web-1: spec changed']);
  });
});
