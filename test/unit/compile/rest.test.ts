import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { problemsText } from '../../../cli/problems.ts';
import { compile } from '../../../reconciler/compile/compile.ts';
import { golden } from '../../support/golden.ts';
import { manifest, SOUND, sourceFiles } from '../../support/manifests.ts';

const app = (spec: string, name: string): string =>
  manifest('App', name, `image: a:1\nzone: main\nnetwork:\n  name: net\n${spec}`);
const network = (name: string, spec: string): string => manifest('Network', name, spec);

const FILES: Readonly<Record<string, string>> = {
  // an unknown field, a gateway that is none, a field that lacks: what else they say counts
  'a.yaml': network('a', 'vlan: 100\ncidr: 10.9.0.0/24\nvlann: 3'),
  'b.yaml': network('b', 'vlan: 200\ncidr: 10.9.0.128/25\ngateway: 10.1.0.1'),
  'c.yaml': network('c', 'cidr: 10.1.0.64/26'),
  // what they have wrong counts for nothing
  'd.yaml': network('d', 'vlan: 5000\ncidr: 10.9.0/24'),
  'e.yaml': `${app('level: 9\nreplicas: 500\nvolumes:\n  - path: /a\n    host: /b\n  - path: b', 'web').replace('zone: main', 'zone: mian')}---\n${app('resources:\n  memory:\n    limit: 5Mi\n', 'beside')}`,
  'f.yaml': manifest('Host', 'h3', 'machine:\n  hostname: h1\ncapacity:\n  cpu: much', 'labels:\n  pool: main'),
  'g.yaml': app(
    'replicas: 400\naffinity:\n  - { app: beside, within: rack, requird: true }\n  - { app: nobody, within: rack }',
    'g',
  ),
};

describe('objects that are held for one mistake', () => {
  it('are told what else is wrong with them, as far as their fields can be trusted', () => {
    const { problems } = compile(sourceFiles({ ...SOUND, ...FILES }), 'r1');
    golden('compile/held-and-clashing.txt', problemsText(problems, false));
    assert.deepEqual(
      problems.map(({ code }) => code),
      [
        'UNKNOWN_FIELD',
        'CIDR_CLASH',
        'GATEWAY_OUTSIDE',
        'MISSING_FIELD',
        'BAD_VALUE',
        'BAD_VALUE',
        'DUPLICATE_NAME',
        'DANGLING_REFERENCE',
        'BAD_VALUE',
        'MISSING_FIELD',
        'MEMORY_TOO_SMALL',
        'DUPLICATE_MACHINE',
        'BAD_VALUE',
        'UNKNOWN_FIELD',
        'DANGLING_REFERENCE',
        'VLAN_CLASH',
        'CIDR_CLASH',
        'TOO_FEW_ADDRESSES',
      ],
    );
  });

  it('put nothing more on hold than they did', () => {
    const before = compile(sourceFiles(SOUND), 'r0');
    const clashing = { ...SOUND, 'a.yaml': network('a', 'vlan: 100\ncidr: 10.9.0.0/24\nvlann: 3') };
    const after = compile(sourceFiles(clashing), 'r1', undefined, before);
    assert.deepEqual(
      after.problems.map(({ code }) => code),
      ['UNKNOWN_FIELD', 'VLAN_CLASH'],
    );
    assert.deepEqual([...after.heldObjects], ['Network/a']);
  });

  it('of which a file says nothing that can be read leave no reference in doubt', () => {
    const broken = { ...SOUND, 'zone.yaml': 'kind: [', 'x.yaml': app('replica: 1', 'x') };
    const before = compile(sourceFiles(SOUND), 'r0');
    const { problems } = compile(sourceFiles(broken), 'r1', undefined, before);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['UNKNOWN_FIELD', 'YAML_SYNTAX'],
    );
  });
});
