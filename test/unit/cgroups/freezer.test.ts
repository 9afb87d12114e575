import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { cgroups, type CgroupsOptions } from '../../../providers/cgroups/index.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { conforms } from '../../conformance/provider.ts';
import { container, contextOf, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const PATH = `docker/${ID}`;
const origin = { revision: 'r', file: 'f', line: 1, column: 1 };
const WORDS = {
  v1: { file: 'freezer/docker/ID/freezer.state', frozen: 'FROZEN', thawed: 'THAWED' },
  v2: { file: 'docker/ID/cgroup.freeze', frozen: '1', thawed: '0' },
} as const;
const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

/** A fake kernel, and Docker's word for the container. */
function lab(version: 'v1' | 'v2', options: CgroupsOptions & { readonly lacking?: readonly string[] } = {}) {
  const { lacking = [], ...rest } = options;
  const root = fakeTree(version, PATH, lacking);
  roots.push(root);
  const log: string[] = [];
  const provider = cgroups({ root, sysRoot: join(root, 'sys'), files: kernelRules(log), ...rest });
  const file = join(root, WORDS[version].file.replace('ID', ID));
  const look = async (status: string, some: Partial<CgroupSpec>) => {
    const [item] = await provider.observe(contextOf([container('web-0', ID, status)]), [REF]);
    assert.ok(item?.known);
    const spec = limits('web-0', some);
    return { item, change: provider.diff([{ ref: REF, spec, dependsOn: [], origin }], [item])[0] };
  };
  return {
    provider,
    log,
    look,
    read: (): string => fs.readFileSync(file, 'utf8').trim(),
    put: (text: string): void => {
      fs.writeFileSync(file, `${text}\n`);
    },
    converge: async (status: string, some: Partial<CgroupSpec> = {}): Promise<readonly string[]> => {
      const { change } = await look(status, some);
      if (change) await provider.apply(change, contextOf([container('web-0', ID, status)]));
      assert.deepEqual((await look(status, some)).change, undefined, 'converged after one apply');
      return change?.fields.map(({ path }) => path) ?? [];
    },
  };
}

for (const version of ['v1', 'v2'] as const)
  describe(`the freezer on cgroup ${version}`, () => {
    const { frozen, thawed } = WORDS[version];

    it('is put back where a hand let go on what is to stand still, and the other way round', async () => {
      const one = lab(version);
      await one.converge('running');
      one.put(frozen);
      assert.equal((await one.look('running', {})).item.state.frozen, true);
      assert.deepEqual(await one.converge('running'), ['/frozen']);
      assert.equal(one.read(), thawed);
      assert.deepEqual(await one.converge('paused', { frozen: true }), ['/frozen']);
      assert.equal(one.read(), frozen);
      one.put(thawed);
      assert.deepEqual(await one.converge('paused', { frozen: true, pids: 7 }), ['/pids', '/frozen']);
      assert.equal(one.read(), frozen);
    });

    it('follows Docker: while that is not as wanted, nothing is to be done here', async () => {
      const one = lab(version);
      await one.converge('running');
      assert.equal((await one.look('running', { frozen: true })).change, undefined);
      one.put(frozen);
      assert.equal((await one.look('paused', {})).change, undefined);
    });

    it('is first asked of Docker, which may have been told by a hand', async () => {
      const told: unknown[] = [];
      const one = lab(version, {
        tellFrozen: (id, to) => {
          told.push([id, to]);
          one.put(to ? frozen : thawed);
          return Promise.reject(new Error('Docker is away'));
        },
      });
      await one.converge('running');
      one.put(frozen);
      one.log.length = 0;
      await one.converge('running');
      assert.deepEqual([told, one.read(), one.log], [[[ID, false]], thawed, []]);
    });

    it('is left alone where an engine froze it for a moment, while it sets limits', async () => {
      const told: unknown[] = [];
      const one = lab(version, { tellFrozen: (...args) => Promise.resolve(void told.push(args)) });
      await one.converge('running');
      one.put(frozen);
      const looked = one.look('running', {});
      one.put(thawed);
      const { item, change } = await looked;
      assert.deepEqual([item.state.frozen, change], [undefined, undefined], 'nothing is to be done');
      const { change: other } = await one.look('running', { pids: 7 });
      assert.ok(other);
      one.put(frozen);
      one.log.length = 0;
      const applied = one.provider.apply(other, contextOf([container('web-0', ID, 'running')]));
      one.put(thawed);
      assert.match((await applied).did, /^pids\.max \d+ -> 7$/);
      assert.equal(told.length, 0);
      assert.ok(one.log.every((line) => !/freez/.test(line)));
    });

    it('is waited for once where it lasts', async () => {
      const one = lab(version);
      await one.converge('running');
      one.put(frozen);
      const took = async (): Promise<number> => {
        const at = performance.now();
        assert.equal((await one.look('running', {})).item.state.frozen, true);
        return performance.now() - at;
      };
      assert.ok((await took()) >= 290, 'a moment');
      let least = Infinity;
      for (let times = 0; times < 5; times += 1) least = Math.min(least, await took());
      assert.ok(least < 290, 'and then no more');
      one.put(thawed);
      await one.look('running', {});
      one.put(frozen);
      assert.ok((await took()) >= 290, 'another one is another');
    });

    it('has nothing stand still that Docker does not hear of: it may be about to stop it', async () => {
      let away = true;
      const one = lab(version, {
        tellFrozen: () => (away ? Promise.reject(new Error('Docker is away')) : Promise.resolve()),
      });
      await one.converge('running');
      const { change } = await one.look('paused', { frozen: true, pids: 7 });
      assert.ok(change);
      await assert.rejects(one.provider.apply(change, contextOf([container('web-0', ID, 'paused')])), {
        code: 'CONFLICT',
      });
      assert.equal(one.read(), thawed);
      away = false;
      assert.deepEqual(await one.converge('paused', { frozen: true, pids: 7 }), ['/frozen']);
      assert.equal(one.read(), frozen);
    });

    it('that the kernel lacks is Unsupported', async () => {
      const one = lab(version, { lacking: ['freezer.state', 'cgroup.freeze'] });
      const { item, change } = await one.look('paused', { ...(await one.converge('paused'), {}), frozen: true });
      assert.equal(change, undefined);
      assert.ok(item.limitations?.some(({ path, state }) => path === '/frozen' && state === 'Unsupported'));
    });
  });

it('v1 may still be about to stand still', async () => {
  const one = lab('v1');
  one.put('FREEZING');
  await one.converge('paused', { frozen: true });
  assert.equal(one.read(), 'FREEZING');
});

for (const version of ['v1', 'v2'] as const)
  conforms(`cgroups that stand still on ${version}`, () => {
    const one = lab(version);
    const want = (some: Partial<CgroupSpec>) =>
      ({ ref: REF, spec: limits('web-0', some), dependsOn: [], origin }) as const;
    return Promise.resolve({
      provider: one.provider,
      ctx: contextOf([container('web-0', ID, 'paused')], [REF]),
      states: [[want({ frozen: true })], [want({ frozen: true, pids: 7 })], [want({ frozen: true })]],
      snapshot: () => Promise.resolve(one.read()),
      close: () => Promise.resolve(),
    });
  });
