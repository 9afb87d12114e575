import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import type { Status } from '../../reconciler/loop/status/status.ts';
import type { Stage as RolloutStage } from '../../reconciler/model/release.ts';
import { app, base, NEEDS_ROOT, setStage, type Stage } from '../support/stage.ts';

const SERVES = 'echo ok > /tmp/index.html; trap exit TERM; httpd -f -p 8080 -h /tmp & wait';

interface Web {
  readonly version: string;
  readonly command?: string;
  readonly port?: number;
  readonly image?: string;
  /** After so long without progress it is given up. */
  readonly deadline?: string;
}

function web({
  version,
  command = SERVES,
  port = 8080,
  image = 'plumbline/busybox:1',
  deadline = '25s',
}: Web): Record<string, string> {
  const spec = `  replicas: 3
  image: ${image}
  env: { VERSION: "${version}" }
  command: [sh, -c, "${command}"]
  probes: { readiness: { http: { port: ${String(port)} }, period: 1s, timeout: 5s } }
  rollout: { minReady: 2s, canary: { replicas: 1, pause: 2s }, progressDeadline: ${deadline} }`;
  return { 'web.yaml': app('web', spec) };
}

/** One look at all replicas: when it began and ended in seconds, and which did not answer. */
interface Look {
  readonly from: number;
  readonly to: number;
  readonly failed: readonly string[];
}

/** Asks every address in turn, for ever; a line a round: begin, end, those that failed and why. */
function asks(addresses: readonly string[]): string {
  return `while :; do read from _ < /proc/uptime; failed=; for at in ${addresses.join(' ')}; do
    why=$(timeout 5 wget -q -O /dev/null http://$at:8080/ 2>&1) || failed="$failed $at:$(echo $why | tr ' ' _)"; done
    read to _ < /proc/uptime; echo $from $to $failed; sleep 0.1; done`;
}

function looksOf(text: string): readonly Look[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [from, to, ...failed] = line.split(' ');
      return { from: Number(from), to: Number(to), failed };
    });
}

describe('a rollout that is watched by a client in the VLAN', { skip: NEEDS_ROOT }, () => {
  let stage: Stage;
  let client: ChildProcess;
  let said = '';
  before(async () => {
    stage = await setStage('rollout', { ...base(), ...web({ version: '1' }), 'client.yaml': app('client') });
    await stage.up();
    const { items } = await stage.converged(120);
    const addresses = items.flatMap(({ ref, address }) => (ref.startsWith('replica/web-') ? [address ?? ''] : []));
    const argv = ['docker', 'exec', 'plumb-client-0', 'sh', '-c', asks(addresses)];
    client = stage.lab.spawn('h1', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    client.stdout?.on('data', (chunk) => (said += String(chunk)));
  });
  after(async () => {
    client.kill('SIGKILL');
    await stage.down();
  });

  const stageOf = ({ rollouts = [] }: Status): RolloutStage | undefined =>
    rollouts.find((one) => one.app === 'web')?.stage;
  const versions = async (): Promise<readonly string[]> => {
    const names = [0, 1, 2].map((n) => `plumb-web-${String(n)}`);
    const { out } = await stage.sh('docker', 'inspect', '-f', '{{.Config.Env}}', ...names);
    return out
      .trim()
      .split('\n')
      .map((line) => /VERSION=(\w+)/.exec(line)?.[1] ?? '');
  };
  const ids = async (...ordinals: readonly number[]): Promise<string> =>
    (await stage.sh('docker', 'inspect', '-f', '{{.Id}}', ...ordinals.map((n) => `plumb-web-${String(n)}`))).out;
  const events = async (revision: string): Promise<readonly string[]> =>
    (await stage.journal('app/web')).flatMap((entry) =>
      entry.type === 'event' && entry.revision === revision ? [entry.reason] : [],
    );

  it('goes to the canary, waits, and goes on', async () => {
    const revision = stage.commit(web({ version: '2' }), 'Two');
    await stage.until('paused', (status) => stageOf(status) === 'paused', 120);
    assert.deepEqual(await versions(), ['2', '1', '1']);
    await stage.converged(120);
    assert.deepEqual(await versions(), ['2', '2', '2']);
    assert.deepEqual(await events(revision), ['RolloutCanary', 'RolloutPaused', 'RolloutStarted', 'RolloutDone']);
  });

  const bad: readonly (readonly [string, Web])[] = [
    ['serves nobody', { version: 'bad', command: 'trap exit TERM; while :; do sleep 0.2; done' }],
    ['ends at once', { version: 'bad', command: 'exit 3' }],
    ['is probed at a port where nobody listens', { version: '2', port: 9 }],
    ['has an image that is not to be had', { version: '2', image: 'plumbline/nothing:9' }],
  ];
  for (const [name, change] of bad)
    it(`what ${name} stays with the canary and goes back, also when its controller is killed`, async () => {
      const others = await ids(1, 2);
      const revision = stage.commit(web({ ...change, deadline: '8s' }), name);
      // on a slow machine it may be on its way back by the time that it is seen
      const begun = (now: Status): boolean => now.revision === revision && stageOf(now) !== undefined;
      await stage.until('with the canary', begun, 60);
      await stage.stop('SIGKILL');
      await stage.up();
      const status = await stage.until('back', (now) => stageOf(now) === 'reverted' && now.revision === revision, 120);
      assert.equal(status.health, 'Degraded');
      assert.match(
        status.messages[0] ?? '',
        /^web: \w{7} \(.*\) was given up, no progress for 8s: web-0 .*; all replicas run/,
      );
      assert.deepEqual(await versions(), ['2', '2', '2']);
      assert.equal(await ids(1, 2), others, 'the others were left alone');
      // killed between telling and remembering, it tells again
      const told = (await events(revision)).filter((reason, at, all) => reason !== all[at - 1]);
      assert.deepEqual(told, ['RolloutCanary', 'RolloutFailed', 'RolloutReverted']);
      const { code, out } = await stage.plumb('status');
      assert.equal(code, 2);
      assert.match(out, /was given up/);
      const plan = await stage.plumb('plan', '--repo', stage.repo, '--host', 'h1');
      assert.match(plan.out, /rollout web .*\n.* was given up/);
      assert.match(plan.out, /0 to add, 0 to change, 0 to move, 0 to replace, 0 to destroy/);
    });

  it('a good revision ends it', async () => {
    stage.commit(web({ version: '3' }), 'Three');
    const status = await stage.converged(120);
    assert.equal(status.rollouts, undefined);
    assert.deepEqual(await versions(), ['3', '3', '3']);
  });

  it('never had more than one of three away, for the client', () => {
    // a look that took long saw different moments
    const looks = looksOf(said).filter(({ from, to }) => to - from < 1);
    const worst = looks.filter(({ failed }) => failed.length > 1);
    assert.deepEqual(worst, []);
    assert.ok(looks.length > 100, `only ${String(looks.length)} looks`);
    assert.ok(
      looks.some(({ failed }) => failed.length === 1),
      'and it does see one that is away',
    );
  });
});
