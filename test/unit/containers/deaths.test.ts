import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DockerClient } from '../../../providers/containers/client.ts';
import { believing } from '../../../providers/containers/deaths.ts';
import type { ContainerRow, DockerEvent } from '../../../providers/containers/wire.ts';

const event = (action: string): DockerEvent => ({
  type: 'container',
  action,
  id: 'c1',
  attributes: { exitCode: '137' },
  time: 1,
  at: 1000,
});

/** A daemon whose list always says what it is told. */
function rig(): {
  readonly look: () => Promise<string>;
  readonly say: (action: string) => void;
  readonly start: () => Promise<unknown>;
  readonly unpause: () => Promise<unknown>;
  readonly death: () => unknown;
  now: number;
} {
  const row = { id: 'c1', state: 'running', status: 'Up 3 minutes' } as ContainerRow;
  const client = {
    containers: { list: () => Promise.resolve([row]), act: () => Promise.resolve({}) },
  } as unknown as DockerClient;
  const signal = new AbortController().signal;
  const self = {
    now: 0,
    look: async () =>
      (await heard.client.containers.list({}, signal)).map(({ state, status }) => `${state} ${status}`).join(),
    say: (action: string) => {
      heard.note(event(action));
    },
    death: () => heard.deathOf('c1'),
    start: () => heard.client.containers.act('c1', 'start', {}, signal),
    unpause: () => heard.client.containers.act('c1', 'unpause', {}, signal),
  };
  const heard = believing(client, () => self.now);
  return self;
}

describe('believing a death before the list shows it', () => {
  it('shows what was heard to die as exited, with its code', async () => {
    const { look, say } = rig();
    assert.equal(await look(), 'running Up 3 minutes');
    say('die');
    assert.equal(await look(), 'exited Exited (137) just now');
  });
  it('knows when it ended, until it is started again', async () => {
    const one = rig();
    assert.equal(one.death(), undefined);
    one.say('die');
    assert.deepEqual(one.death(), { exitCode: '137', at: 1000, heard: 0 });
    await one.start();
    assert.equal(one.death(), undefined);
  });
  it('lets go once it is started, by us or by hand', async () => {
    const ours = rig();
    ours.say('die');
    await ours.start();
    assert.match(await ours.look(), /^running/);
    const theirs = rig();
    theirs.say('die');
    theirs.say('start');
    assert.match(await theirs.look(), /^running/);
  });
  it('shows what was heard to be paused as paused, until it goes on', async () => {
    const ours = rig();
    ours.say('pause');
    assert.equal(await ours.look(), 'paused Up 3 minutes (Paused)');
    await ours.unpause();
    assert.match(await ours.look(), /^running/);
    for (const end of ['unpause', 'destroy']) {
      const theirs = rig();
      theirs.say('pause');
      theirs.say(end);
      assert.match(await theirs.look(), /^running/);
    }
    const late = rig();
    late.say('pause');
    late.now = 5000;
    assert.match(await late.look(), /^running/);
  });
  it('does not believe for ever against the list', async () => {
    const one = rig();
    one.say('die');
    one.now = 5000;
    assert.match(await one.look(), /^running/);
  });
});
