import { describe, it } from 'node:test';
import { hostsOf, resources } from '../../support/catalog.ts';
import { holds } from '../../support/placing.ts';
import type { Case } from '../../support/placing.ts';

const four = hostsOf(4);
const cases: readonly Case[] = [
  {
    name: 'near another App, which goes first although its name and level come later',
    sketch: {
      hosts: four,
      apps: {
        a: { replicas: 2, level: 1, affinity: [{ app: 'z', within: 'rack', required: true }] },
        z: { level: 3, hosts: { matchLabels: {} } },
      },
    },
    hosts: ['h1', 'h1', 'h2'],
    reasons: [],
  },
  {
    name: 'nowhere where the other App is not',
    sketch: {
      hosts: four,
      apps: {
        a: { affinity: [{ app: 'z', within: 'host', required: true }] },
        z: { resources: resources(5000) },
      },
    },
    hosts: [],
    reasons: ['z-0: cpu 4 h1', 'a-0: affinity 4 h1'],
  },
  {
    name: 'apart from another App, both ways',
    sketch: {
      hosts: four,
      apps: { a: { replicas: 5 }, b: { replicas: 2, antiAffinity: [{ app: 'a', within: 'host', required: true }] } },
    },
    hosts: ['h1', 'h1', 'h2', 'h3', 'h4'],
    reasons: ['b-0: antiAffinity 4 h1', 'b-1: antiAffinity 4 h1'],
  },
  {
    name: 'apart from the others of its own',
    sketch: { hosts: four, apps: { a: { replicas: 3, antiAffinity: [{ app: 'a', within: 'rack', required: true }] } } },
    hosts: ['h1', 'h3'],
    reasons: ['a-2: antiAffinity 4 h1'],
  },
  {
    name: 'wishes for company come before even spread',
    sketch: {
      hosts: four,
      apps: {
        a: { hosts: { matchLabels: {} } },
        b: { replicas: 3, affinity: [{ app: 'a', within: 'rack', required: false }] },
      },
    },
    hosts: ['h1', 'h1', 'h2', 'h2'],
    reasons: [],
  },
  {
    name: 'wishes to be apart give way where there is no other room',
    sketch: {
      hosts: { h1: {}, h2: {} },
      apps: {
        a: { level: 0, resources: resources(2000) },
        b: { replicas: 3, resources: resources(2000), antiAffinity: [{ app: 'a', within: 'host', required: false }] },
      },
    },
    hosts: ['h1', 'h1', 'h2', 'h2'],
    reasons: [],
  },
];

describe('affinity and anti-affinity', () => {
  for (const one of cases)
    it(one.name, () => {
      holds(one);
    });
});
