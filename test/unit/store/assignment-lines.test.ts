import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOL } from '../../../reconciler/model/protocol.ts';
import type { AssignedNetwork, AssignedReplica, Assignment } from '../../../reconciler/model/replica.ts';
import { fold, unfold } from '../../../reconciler/store/redis/assignment-lines.ts';
import { appSpec, networkSpec } from '../../support/catalog.ts';

const at = (revision: string, file: string, line: number) => ({ revision, file, line, column: 7 });

describe('the lines of a manifest, as an Assignment is written', () => {
  it('say once of which file and revision they are', () => {
    const fields = {
      '/spec/image': at('r2', 'web.yaml', 3),
      '/spec/zone': at('r2', 'base.yaml', 9),
      '/spec/stop/grace': at('r1', 'web.yaml', 4),
      '/spec/level': at('r2', 'web.yaml', 5),
    };
    assert.deepEqual(fold(fields), {
      fields: {}, // for an agent of the version before
      lines: [
        { revision: 'r2', file: 'web.yaml', at: { '/spec/image': [3, 7], '/spec/level': [5, 7] } },
        { revision: 'r2', file: 'base.yaml', at: { '/spec/zone': [9, 7] } },
        { revision: 'r1', file: 'web.yaml', at: { '/spec/stop/grace': [4, 7] } },
      ],
    });
    assert.deepEqual(fold({}), { fields: {} }, 'nothing of what has none');
  });

  it('are read as they were, of replicas, of what they hold and of Networks, also where they were not folded', () => {
    const origin = at('r1', 'net.yaml', 1);
    const network: AssignedNetwork = { name: 'net', spec: networkSpec({}), origin, fields: { '/spec/vlan': origin } };
    const placement = {
      ...{ replica: 'web-0', app: 'web', zone: 'main', host: 'h1', network: 'net', address: '10.1.0.10', epoch: 1 },
      demand: { cpu: 1, memory: 1, pids: 1 },
    };
    const replica: AssignedReplica = {
      ...{ id: 'web-0', app: 'web', owner: 'team', spec: appSpec({}), placement, origin },
      fields: { '/spec/image': at('r2', 'web.yaml', 3) },
      holds: network,
    };
    const assignment: Assignment = {
      ...{ protocol: PROTOCOL, host: 'h1', fleet: 'f', generation: 1, revision: 'r2', author: 'Ann', resync: 1 },
      ...{ replicas: [replica], networks: [network], tuning: [], keep: { apps: [], owners: [] } },
    };
    const foldedNetwork = { ...network, ...fold(network.fields) };
    const written: Assignment = {
      ...assignment,
      replicas: [{ ...replica, ...fold(replica.fields), holds: foldedNetwork }],
      networks: [foldedNetwork],
    };
    assert.deepEqual(unfold(written), assignment);
    assert.deepEqual(unfold(assignment), assignment);
  });
});
