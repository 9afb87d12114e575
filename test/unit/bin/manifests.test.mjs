import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manifestsPage } from '../../../bin/house/manifests.mjs';

const kind = {
  title: 'Zone',
  description: 'Hosts with one purpose.',
  definitions: {
    probe: {
      oneOf: [
        {
          required: ['tcp'],
          properties: { tcp: { type: 'integer', minimum: 1 }, period: { type: 'string', default: '10s' } },
        },
        {
          required: ['exec'],
          properties: { exec: { type: 'array', items: { type: 'string' } }, period: { type: 'string' } },
        },
      ],
    },
  },
  properties: {
    spec: {
      required: ['hosts'],
      properties: {
        hosts: { allOf: [{ $ref: 'common.json#/definitions/selector' }], description: 'Its hosts.' },
        levels: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 3 }, default: [0, 1] },
        check: { $ref: '#/definitions/probe' },
        limits: { additionalProperties: { properties: { soft: { type: 'integer' } } }, description: 'a|b' },
      },
    },
  },
  examples: [{ kind: 'Zone' }],
};
const common = { definitions: { cpu: { description: 'CPU.', anyOf: [{ type: 'number' }, { pattern: '^[0-9]+m$' }] } } };

describe('page of manifests', () => {
  const page = manifestsPage([kind], common);
  const lines = [
    '## Zone',
    'kind: Zone',
    '| **`spec.hosts`** | [selector](#selector) |  | Its hosts. |',
    '| `spec.levels` | list of integer 0–3 | `[0,1]` |  |',
    '| `spec.check` | [probe](#probe) |  |  |',
    '| `spec.limits.*.soft` | integer |  |  |',
    '| `tcp` | integer ≥ 1 |  |  One of the forms. |',
    '| `period` | string | `10s` |  |',
    'As a regular expression: `^[0-9]+m$`',
  ];
  for (const line of lines) it(`says ${line}`, () => assert.ok(page.split('\n').includes(line), page));
  it('has one row for what all forms share', () => assert.equal(page.split('| `period` |').length, 2));
  it('escapes bars', () => assert.match(page, /a\\\|b/));
});
