import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { cgroups } from '../../../providers/cgroups/index.ts';
import type { TellSystemd } from '../../../providers/cgroups/systemd.ts';
import type { Evidence } from '../../../reconciler/model/change.ts';
import type { CgroupSpec } from '../../../reconciler/model/resources.ts';
import { container, contextOf, fakeTree, idOf, kernelRules, limits } from '../../support/cgroup-tree.ts';

const ID = idOf('a');
const REF = 'cgroup/web-0';
const SCOPE = `docker-${ID}.scope`;
const running = contextOf([container('web-0', ID)]);
const roots: string[] = [];

/** A fake kernel with one container in a scope, and what puts its limits right. */
function lab(tellSystemd: TellSystemd, version: 'v1' | 'v2' = 'v2', path = `system.slice/${SCOPE}`) {
  const root = fakeTree(version, path);
  roots.push(root);
  const provider = cgroups({ root, files: kernelRules([]), tellSystemd });
  const converge = async (spec: CgroupSpec): Promise<Evidence> => {
    const want = { ref: REF, spec, dependsOn: [], origin: { revision: 'r', file: 'f', line: 1, column: 1 } } as const;
    const [item] = await provider.observe(running, [REF]);
    assert.ok(item?.known);
    const [change] = provider.diff([want], [item]);
    assert.ok(change);
    return await provider.apply(change, running);
  };
  const file = (name: string): string => join(root, path, name);
  return { converge, file };
}

afterEach(() => {
  for (const root of roots.splice(0)) fs.rmSync(root, { recursive: true });
});

describe("systemd's knowledge", () => {
  const usual = limits('web-0');
  const { reservation: _reservation, ...unreserved } = usual;
  const cases = [
    { name: 'no swap', spec: usual, file: 'memory.swap.max', hand: 'max', told: ['MemorySwapMax=0'] },
    { name: 'no reservation', spec: unreserved, file: 'memory.low', hand: '4096', told: ['MemoryLow=0'] },
    { name: 'some swap', spec: limits('web-0', { swap: 4096 }), file: 'memory.swap.max', hand: 'max', told: [] },
    { name: 'a reservation', spec: usual, file: 'memory.low', hand: '0', told: [] },
    { name: 'other limits', spec: usual, file: 'pids.max', hand: '7', told: [] },
  ];
  for (const { name, spec, file: moved, hand, told } of cases)
    it(`is brought up to date ${told.length > 0 ? 'on' : 'by the engine on'} ${name}`, async () => {
      const said: string[] = [];
      const { converge, file } = lab((unit, properties) => {
        assert.equal(unit, SCOPE);
        said.push(...properties);
        return Promise.resolve();
      });
      await converge(spec);
      const right = fs.readFileSync(file(moved), 'utf8').trim();
      said.length = 0;
      fs.writeFileSync(file(moved), `${hand}\n`);
      await converge(spec);
      assert.equal(fs.readFileSync(file(moved), 'utf8').trim(), right);
      assert.deepEqual(said, told);
    });

  for (const [version, path] of [
    ['v2', `docker/${ID}`],
    ['v1', `system.slice/${SCOPE}`],
  ] as const)
    it(`is nobody’s business for ${path.replace(ID, 'ID')} on ${version}`, async () => {
      await lab(() => assert.fail('told'), version, path).converge(usual);
    });

  it('that cannot be brought up to date is said', async () => {
    const { facts } = await lab(() => Promise.reject(new Error('Unit not found'))).converge(usual);
    assert.deepEqual(facts, { systemdNotTold: 'Unit not found' });
  });
});
