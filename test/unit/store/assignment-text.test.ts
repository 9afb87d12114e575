import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PROTOCOL } from '../../../reconciler/model/protocol.ts';
import type { AssignedNetwork, AssignedReplica, Assignment } from '../../../reconciler/model/replica.ts';
import { assignmentIn, createAssignmentTexts } from '../../../reconciler/store/redis/assignment-text.ts';
import { appSpec, networkSpec } from '../../support/catalog.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('"', '\\', '\u2028\n', '\ud800', '', 'é', '__proto__'),
);
const origin = fc.record({ revision: text, file: text, line: fc.nat(), column: fc.nat() });
const fields = fc.dictionary(text, origin);
const spec = fc
  .record({ image: text, env: fc.dictionary(text, text) })
  .map((change) => Object.assign(appSpec(change), { absent: undefined }));
const where = { zone: text, host: text, network: text, address: text };
const demand = fc.record({ cpu: fc.nat(), memory: fc.nat(), pids: fc.nat() });

const network: AssignedNetwork = {
  name: 'net',
  spec: networkSpec({}),
  origin: { revision: 'r1', file: 'net.yaml', line: 1, column: 1 },
  fields: {},
};
const networks = fc.array(fc.record({ name: text, fields }).map((change) => ({ ...network, ...change })));

/** What all replicas of an App share, be it there or not. */
const shared = fc.record(
  {
    app: text,
    owner: text,
    spec,
    origin,
    fields,
    plug: fc.option(text, { nil: undefined }),
    holds: networks.map(([one]) => one),
  },
  { requiredKeys: ['app', 'owner', 'spec', 'origin', 'fields'] },
);
const own = fc.record({
  id: text,
  placement: fc.record({ replica: text, app: text, ...where, demand, epoch: fc.nat() }),
});

/** Members in any order. */
function shuffled<T extends object>(value: T): fc.Arbitrary<T> {
  const members = Object.entries(value);
  const all = { minLength: members.length };
  return fc.shuffledSubarray(members, all).map((some) => Object.fromEntries(some) as T);
}

const replicas = fc.array(shared, { minLength: 1, maxLength: 3 }).chain((apps) => {
  const one = fc.tuple(fc.constantFrom(...apps), own).chain(([of, mine]) => shuffled({ ...of, ...mine }));
  return fc.array(one as fc.Arbitrary<AssignedReplica>, { maxLength: 8 });
});
const assignment = fc
  .record(
    {
      ...{
        protocol: fc.constantFrom(PROTOCOL - 1, PROTOCOL, PROTOCOL + 1),
        host: text,
        fleet: text,
        generation: fc.nat(),
        revision: text,
        author: text,
      },
      ...{ resync: fc.nat(), replicas, networks },
      tuning: fc.array(fc.record({ kind: fc.constant('sysctl' as const), key: text, value: text, origin })),
      keep: fc.record({ apps: fc.array(text), owners: fc.array(text) }),
    },
    {
      requiredKeys: [
        'protocol',
        'host',
        'fleet',
        'generation',
        'revision',
        'author',
        'resync',
        'replicas',
        'networks',
        'tuning',
        'keep',
      ],
    },
  )
  .chain(shuffled) as fc.Arbitrary<Assignment>;

describe('the text of an Assignment', () => {
  it('is read as what was written', () => {
    const texts = createAssignmentTexts();
    fc.assert(
      fc.property(assignment, (one) => {
        const written = JSON.parse(JSON.stringify(one)) as unknown;
        assert.deepEqual(assignmentIn(texts.of(one)), written);
        assert.deepEqual(assignmentIn(texts.of(one)), written, 'also by what is kept of it');
        assert.deepEqual(assignmentIn(JSON.stringify(one)), written, 'also as the version before wrote it');
      }),
    );
  });

  it('is made of what is written once for all, until that is forgotten', (t) => {
    const stringify = t.mock.method(JSON, 'stringify');
    const texts = createAssignmentTexts();
    const same = fc.sample(shared, 1)[0];
    const write = (host: string): string => {
      const some = fc.sample(own, 5).map((mine) => ({ ...same, ...mine }));
      return texts.of({ ...fc.sample(assignment, 1)[0], host, replicas: some } as Assignment);
    };
    const written = (): number => stringify.mock.calls.filter(({ arguments: [what] }) => what === same?.spec).length;
    for (const host of ['h1', 'h2', 'h3']) write(host);
    assert.equal(written(), 1);
    texts.forget();
    write('h4');
    assert.equal(written(), 2);
  });
});
