import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRepairs, type RepairOptions, type Repairs } from '../../../../reconciler/loop/agent/repairs.ts';
import type { Assignment } from '../../../../reconciler/model/replica.ts';
import type { Lease } from '../../../../reconciler/model/store.ts';

const limits = (perHost: number, perZone: number): Assignment =>
  ({ repairs: { zone: 'main', perHost, perZone }, replicas: [] }) as unknown as Assignment;

/** Leases of a store that may be away. */
class Tokens {
  readonly leases = new Map<string, Lease>();
  away = false;
  acquire(name: string, holder: string, ttl: number): Promise<Lease | undefined> {
    if (this.away) return Promise.reject(new Error('away'));
    const before = this.leases.get(name);
    if (before && before.holder !== holder && before.expires > now) return Promise.resolve(undefined);
    const lease = { name, holder, fence: 1, expires: now + ttl };
    this.leases.set(name, lease);
    return Promise.resolve(lease);
  }
  release({ name }: Lease): Promise<void> {
    this.leases.delete(name);
    return Promise.resolve();
  }
  held(names: readonly string[]): Promise<readonly Lease[]> {
    if (this.away) return Promise.reject(new Error('away'));
    return Promise.resolve(
      [...this.leases.values()].filter(({ name, expires }) => names.includes(name) && expires > now),
    );
  }
  holders(): readonly string[] {
    return [...this.leases.values()].map(({ holder }) => holder);
  }
}

let now = 0;
function hostOf(
  host: string,
  tokens?: RepairOptions['tokens'],
  own = new Tokens(),
): { readonly repairs: Repairs; readonly again: string[]; readonly own: Tokens } {
  const again: string[] = [];
  const ready = (replica: string, wait: number): void => void again.push(`${replica} ${String(wait)}`);
  return { repairs: createRepairs({ host, own, tokens, clock: () => now, random: () => 0.5, ready }), again, own };
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const of = (repairs: Repairs): readonly string[] => [...repairs.granted()];
const want = async (repairs: Repairs, limit: Assignment, ...replicas: readonly string[]): Promise<void> => {
  repairs.want(new Set(replicas), limit);
  await settled();
};

describe('repairs that restart what runs', () => {
  it('are so many at a time on a host; the next comes when one serves again', async () => {
    const { repairs, again } = hostOf('h1');
    await want(repairs, limits(2, 9), 'a-0', 'b-0', 'c-0');
    assert.deepEqual(of(repairs), ['a-0', 'b-0']);
    assert.deepEqual([...again].sort(), ['a-0 0', 'b-0 0', 'c-0 2000']);
    repairs.settle(() => true);
    assert.deepEqual(of(repairs), ['a-0', 'b-0'], 'they serve, but have not been restarted');
    repairs.restarted('a-0');
    repairs.settle(() => false);
    assert.equal(of(repairs).length, 2);
    repairs.settle(() => true);
    await settled();
    await want(repairs, limits(2, 9), 'b-0', 'c-0');
    assert.deepEqual(of(repairs), ['b-0', 'c-0']);
  });

  it('are one at a time where the Zone says nothing', async () => {
    const { repairs } = hostOf('h1');
    await want(repairs, { replicas: [] } as unknown as Assignment, 'a-0', 'b-0');
    assert.deepEqual(of(repairs), ['a-0']);
  });

  it('that lead to nothing do not keep others for ever', async () => {
    const { repairs } = hostOf('h1');
    await want(repairs, limits(1, 9), 'a-0');
    repairs.restarted('a-0');
    now += 59_999;
    repairs.settle(() => false);
    assert.deepEqual(of(repairs), ['a-0']);
    now += 1;
    repairs.settle(() => false);
    assert.deepEqual(of(repairs), []);
  });

  it('still count when the agent is started again in their middle', async () => {
    const first = hostOf('h1');
    await want(first.repairs, limits(1, 9), 'a-0');
    first.repairs.restarted('a-0');
    const next = hostOf('h1', undefined, first.own);
    await want(next.repairs, limits(1, 9), 'b-0');
    assert.deepEqual([of(next.repairs), next.again], [['a-0'], ['b-0 2000']], 'a-0 is away still');
    next.repairs.settle(() => true);
    await settled();
    await want(next.repairs, limits(1, 9), 'b-0');
    assert.deepEqual(of(next.repairs), ['b-0']);
    const third = hostOf('h1', undefined, first.own);
    await want(third.repairs, limits(1, 9), 'b-0');
    assert.deepEqual([of(third.repairs), third.again], [['b-0'], ['b-0 0']], 'it goes on with what it had begun');
    now += 60_000;
    const late = hostOf('h1', undefined, first.own);
    await want(late.repairs, limits(1, 9), 'c-0');
    assert.deepEqual(of(late.repairs), ['c-0'], 'and waits no longer than a repair may take');
  });

  it('end in time where the clock was set back by an hour, and the agent started again, in their middle', async () => {
    const { repairs, own } = hostOf('h1');
    now += 3_600_000;
    await want(repairs, limits(1, 9), 'a-0');
    repairs.restarted('a-0');
    now -= 3_600_000;
    const next = hostOf('h1', undefined, own);
    await want(next.repairs, limits(1, 9), 'b-0');
    assert.deepEqual(of(next.repairs), ['a-0']);
    now += 60_000;
    next.repairs.settle(() => false);
    await settled();
    await want(next.repairs, limits(1, 9), 'b-0');
    assert.deepEqual(of(next.repairs), ['b-0']);
  });

  it('wait while the disk takes no token: it would take no intent either', async () => {
    const { repairs, again, own } = hostOf('h1');
    own.away = true;
    await want(repairs, limits(1, 9), 'a-0');
    assert.deepEqual([of(repairs), again], [[], ['a-0 2000']]);
    own.away = false;
    await want(repairs, limits(1, 9), 'a-0');
    assert.deepEqual(of(repairs), ['a-0']);
  });

  it('are so many in a Zone; a token given back is another host’s', async () => {
    const tokens = new Tokens();
    const hosts = ['h1', 'h2', 'h3'].map((host) => hostOf(host, tokens));
    for (const { repairs } of hosts) repairs.want(new Set(['a-0']), limits(1, 2));
    await settled();
    assert.deepEqual(
      hosts.map(({ repairs }) => of(repairs).length),
      [1, 1, 0],
    );
    assert.deepEqual([hosts[2]?.again, tokens.holders()], [['a-0 2000'], ['h1/a-0', 'h2/a-0']]);
    hosts[0]?.repairs.restarted('a-0');
    hosts[0]?.repairs.settle(() => true);
    await settled();
    hosts[2]?.repairs.want(new Set(['a-0']), limits(1, 2));
    await settled();
    assert.equal(hosts[2] && of(hosts[2].repairs).length, 1);
  });

  it('that find no token in the Zone keep no other of the host from one', async () => {
    const tokens = new Tokens();
    const [first, next] = [hostOf('h1', tokens), hostOf('h2', tokens)];
    await want(first.repairs, limits(1, 1), 'a-0');
    await want(next.repairs, limits(1, 1), 'a-0');
    assert.deepEqual([of(next.repairs), next.own.holders()], [[], []]);
    first.repairs.restarted('a-0');
    first.repairs.settle(() => true);
    await settled();
    await want(next.repairs, limits(1, 1), 'b-0');
    assert.deepEqual(of(next.repairs), ['b-0']);
  });

  it('give back a token of the Zone that comes when they have gone on without', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    };
    const tokens = new Tokens();
    let give = (): void => undefined;
    const late: RepairOptions['tokens'] = {
      acquire: (...asked) => new Promise((resolve) => (give = () => resolve(tokens.acquire(...asked)))),
      release: (lease) => tokens.release(lease),
    };
    const { repairs } = hostOf('h1', late);
    repairs.want(new Set(['a-0']), limits(1, 1));
    await turns();
    t.mock.timers.tick(2000);
    await turns();
    assert.deepEqual(of(repairs), ['a-0']);
    give();
    assert.deepEqual(tokens.holders(), ['h1/a-0']);
    await turns();
    assert.deepEqual(tokens.holders(), []);
  });

  it('go on by the host’s own limit while the store is away or refuses', async () => {
    const tokens = new Tokens();
    tokens.away = true;
    const { repairs } = hostOf('h1', tokens);
    repairs.want(new Set(['a-0', 'b-0']), limits(1, 1));
    await settled();
    assert.deepEqual(of(repairs), ['a-0']);
  });
});
