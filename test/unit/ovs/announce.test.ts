import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemAnnounce } from '../../../providers/ovs/announce.ts';

describe('announcing addresses', () => {
  it('repeats what was plugged in at about the same time in one run', async () => {
    const runs: string[] = [];
    const announce = systemAnnounce(
      {
        run: (_file, _args, { input = '' }) => {
          runs.push(input);
          return Promise.resolve({ status: 0, stdout: '', stderr: '' });
        },
      },
      1000,
    );
    const at = (ofport: number): void => {
      announce({ bridge: 'br', ofport: () => ofport, mac: '02:00:00:00:00:01', address: '10.0.0.1' });
    };
    const slot = (): number => Math.ceil((performance.now() + 1100) / 1100);
    // two in one slot, a moment apart; each try has numbers of its own
    let began: number;
    let port = -1;
    const own = (): readonly string[] =>
      runs.filter((input) => [port, port + 1].some((one) => input.includes(`in_port=${String(one)},`)));
    do {
      port += 2;
      await sleep(1100 - (performance.now() % 1100));
      began = slot();
      at(port);
      while (own().length === 0) await sleep(1);
      at(port + 1);
    } while (slot() !== began);
    while (own().length < 3) await sleep(10);
    const repeated = own()[2] ?? '';
    for (const one of [port, port + 1]) assert.ok(repeated.includes(`in_port=${String(one)},`), repeated);
  });
});
