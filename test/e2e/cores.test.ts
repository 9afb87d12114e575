import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatCpus, parseCpus } from '../../reconciler/model/cores.ts';
import { app, base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

const ALONE = app('db', '  resources: { cpu: { cores: 1, pinned: true }, memory: { limit: 32Mi } }');
const SHARES = app('web', '  resources: { cpu: { cores: 100m, quota: 500m }, memory: { limit: 32Mi } }');
const NO_MORE = app('web', '  resources: { cpu: { cores: 1, pinned: true }, memory: { limit: 32Mi } }');
const skip = NEEDS_ROOT === false && availableParallelism() < 2 ? 'needs two CPUs' : NEEDS_ROOT;

describe('an App with cores of its own', { skip }, () => {
  let stage: Stage;
  let all = '';
  before(async () => {
    stage = await setStage('cores', { ...base(), 'web.yaml': SHARES });
    await stage.up();
    await stage.converged();
    all = await allowed('web-0');
  });
  after(async () => {
    await stage.down();
  });

  /** The CPUs that the kernel lets the first process of a replica run on. */
  async function allowed(replica: string): Promise<string> {
    const { out } = await stage.sh('docker', 'exec', `plumb-${replica}`, '/bin/busybox', 'cat', '/proc/1/status');
    return /^Cpus_allowed_list:\s+(\S+)$/m.exec(out)?.[1] ?? '';
  }

  /** `50000` µs of CPU time in each period, `-1` or `max` without a quota, as the kernel says. */
  async function quota(replica: string): Promise<string> {
    const { out: id } = await stage.sh('docker', 'inspect', '-f', '{{.Id}}', `plumb-${replica}`);
    const files = ['cpu.cfs_quota_us', 'cpu.max'].map((name) => `-path '*${id.trim()}*' -name ${name} -print`);
    const { out } = await stage.sh('sh', '-c', `find /sys/fs/cgroup ${files.join(' -o ')} 2>/dev/null | xargs cat`);
    return out.trim().split(/\s/)[0] ?? '';
  }

  const since = (replica: string): Promise<string> =>
    stage.sh('docker', 'inspect', '-f', '{{.State.StartedAt}}', `plumb-${replica}`).then(({ out }) => out);

  async function becomes(what: string, good: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 120_000; !(await good()); await sleep(300))
      assert.ok(Date.now() < end, `${what}: web-0 on ${await allowed('web-0')}, db-0 on ${await allowed('db-0')}`);
  }

  /** The one CPU of db-0, which web-0 does not have, and which is none but its own. */
  async function apart(what: string): Promise<string> {
    let own = '';
    await becomes(what, async () => {
      own = await allowed('db-0');
      const rest = parseCpus(all).filter((cpu) => String(cpu) !== own);
      return parseCpus(own).length === 1 && (await allowed('web-0')) === formatCpus(rest);
    });
    return own;
  }

  it('gets one that those who run already give up, without a restart', async () => {
    const before = await since('web-0');
    stage.commit({ 'db.yaml': ALONE });
    await stage.converged();
    await apart('pinned');
    assert.equal(await since('web-0'), before);
    assert.match(await quota('db-0'), /^(-1|max)$/);
    assert.equal(await quota('web-0'), '50000');
  });

  it('keeps it when agent and container are killed, from its first instruction on', async () => {
    const own = await apart('before');
    await stage.stop('SIGKILL');
    await stage.sh('docker', 'kill', 'plumb-db-0', 'plumb-web-0');
    const recorded = (name: string): Promise<string> =>
      stage.sh('docker', 'inspect', '-f', '{{.HostConfig.CpusetCpus}}', name).then(({ out }) => out.trim());
    assert.equal(await recorded('plumb-db-0'), own, 'Docker starts it there, whoever starts it');
    await stage.up();
    await stage.converged();
    assert.equal(await apart('after'), own);
    assert.equal(await recorded('plumb-web-0'), await allowed('web-0'));
  });

  it('has it back when somebody lets another run on it', async () => {
    const own = await apart('before');
    await stage.sh('docker', 'update', '--cpuset-cpus', all, 'plumb-web-0');
    assert.equal(await apart('repaired'), own);
  });

  it('gives it back when it leaves', async () => {
    stage.commit({ 'db.yaml': undefined });
    await becomes('grown again', async () => (await allowed('web-0')) === all);
    await stage.converged();
  });

  it('may be one that runs: it gets them, and loses its quota, in place, and back again', async () => {
    const before = await since('web-0');
    stage.commit({ 'web.yaml': NO_MORE });
    await becomes('alone', async () => parseCpus(await allowed('web-0')).length === 1);
    await becomes('without a quota', async () => /^(-1|max)$/.test(await quota('web-0')));
    await stage.converged();
    stage.commit({ 'web.yaml': SHARES });
    await becomes('shares', async () => (await allowed('web-0')) === all && (await quota('web-0')) === '50000');
    await stage.converged();
    assert.equal(await since('web-0'), before, 'without a restart');
  });
});
