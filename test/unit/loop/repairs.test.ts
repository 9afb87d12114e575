import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRepairs, type RepairOptions, type Repairs } from '../../../reconciler/loop/repairs.ts';
import type { Assignment } from '../../../reconciler/model/replica.ts';
import type { Lease } from '../../../reconciler/model/store.ts';

const limits = (perHost: number, perZone: number): Assignment =>
  ({ repairs: { zone: 'main', perHost, perZone }, replicas: [] }) as unknown as Assignment;

/** The tokens of a Zone, in a store that may be away. */
class Tokens {
  readonly held = new Map<string, string>();
  away = false;
  acquire(name: string, holder: string): Promise<Lease | undefined> {
    if (this.away) return Promise.reject(new Error('away'));
    if ((this.held.get(name) ?? holder) !== holder) return Promise.resolve(undefined);
    this.held.set(name, holder);
    return Promise.resolve({ name, holder, fence: 1, expires: 0 });
  }
  release({ name }: Lease): Promise<void> {
    this.held.delete(name);
    return Promise.resolve();
  }
}

let now = 0;
function hostOf(
  host: string,
  tokens?: RepairOptions['tokens'],
): { readonly repairs: Repairs; readonly again: string[] } {
  const again: string[] = [];
  const ready = (replica: string, wait: number): void => void again.push(`${replica} ${String(wait)}`);
  return { repairs: createRepairs({ host, tokens, clock: () => now, random: () => 0.5, ready }), again };
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const of = (repairs: Repairs): readonly string[] => [...repairs.granted()];

describe('repairs that restart what runs', () => {
  it('are so many at a time on a host; the next comes when one serves again', () => {
    const { repairs, again } = hostOf('h1');
    repairs.want(new Set(['a-0', 'b-0', 'c-0']), limits(2, 9));
    assert.deepEqual(of(repairs), ['a-0', 'b-0']);
    assert.deepEqual(again, ['a-0 0', 'b-0 0', 'c-0 2000']);
    repairs.settle(() => true);
    assert.deepEqual(of(repairs), ['a-0', 'b-0'], 'they serve, but have not been restarted');
    repairs.restarted('a-0');
    repairs.settle(() => false);
    assert.equal(of(repairs).length, 2);
    repairs.settle(() => true);
    repairs.want(new Set(['b-0', 'c-0']), limits(2, 9));
    assert.deepEqual(of(repairs), ['b-0', 'c-0']);
  });

  it('are one at a time where the Zone says nothing', () => {
    const { repairs } = hostOf('h1');
    repairs.want(new Set(['a-0', 'b-0']), { replicas: [] } as unknown as Assignment);
    assert.deepEqual(of(repairs), ['a-0']);
  });

  it('that lead to nothing do not keep others for ever', () => {
    const { repairs } = hostOf('h1');
    repairs.want(new Set(['a-0']), limits(1, 9));
    repairs.restarted('a-0');
    now += 59_999;
    repairs.settle(() => false);
    assert.deepEqual(of(repairs), ['a-0']);
    now += 1;
    repairs.settle(() => false);
    assert.deepEqual(of(repairs), []);
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
    assert.deepEqual([hosts[2]?.again, [...tokens.held.values()]], [['a-0 2000'], ['h1/a-0', 'h2/a-0']]);
    hosts[0]?.repairs.restarted('a-0');
    hosts[0]?.repairs.settle(() => true);
    await settled();
    hosts[2]?.repairs.want(new Set(['a-0']), limits(1, 2));
    await settled();
    assert.equal(hosts[2] && of(hosts[2].repairs).length, 1);
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
