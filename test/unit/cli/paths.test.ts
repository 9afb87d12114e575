import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askedStore } from '../../../cli/fleet-store.ts';
import { pathsOf, type StateOptions } from '../../../cli/paths.ts';

const root = process.getuid?.() === 0;

describe('where the state is', () => {
  const HOME = '/home/ann';
  const usual = root
    ? { state: '/var/lib/plumbline', socket: '/run/plumbline/plumb.sock' }
    : { state: `${HOME}/.local/state/plumbline`, socket: `${HOME}/.local/run/plumbline/plumb.sock` };
  const cases: readonly (readonly [reason: string, flags: StateOptions, env: Record<string, string>, found: object])[] =
    [
      ['nothing is said', {}, {}, usual],
      ['what is said is empty', { stateDir: '', socket: '' }, { PLUMB_STATE_DIR: '', PLUMB_SOCKET: '' }, usual],
      ['the environment says', {}, { PLUMB_STATE_DIR: '/s' }, { state: '/s', socket: '/s/plumb.sock' }],
      [
        'an option says otherwise',
        { stateDir: 'a' },
        { PLUMB_STATE_DIR: '/s' },
        { state: '/w/a', socket: '/w/a/plumb.sock' },
      ],
      ['a socket of its own', { stateDir: '/s' }, { PLUMB_SOCKET: 'x' }, { state: '/s', socket: '/w/x' }],
    ];
  for (const [reason, flags, env, found] of cases)
    it(reason, () => {
      assert.deepEqual(pathsOf(flags, { env: { HOME, ...env }, cwd: '/w' }), found);
    });
});

describe('whom a verb asks that only looks', () => {
  const env = { PLUMB_STORE: 'redis://env' };
  for (const [reason, flags, found] of [
    ['the store of the environment', {}, 'redis://env'],
    ['the store that it is given', { store: 'redis://given' }, 'redis://given'],
    ['the socket that it is given', { socket: '/run/plumb.sock' }, undefined],
    ['the store that it is given beside a socket', { store: 'redis://given', socket: '/s' }, 'redis://given'],
  ] as const)
    it(reason, () => {
      assert.equal(askedStore(flags, { env }), found);
    });
});
