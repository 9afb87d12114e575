import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Files } from '../../../providers/host/files.ts';
import type { Observed } from '../../../reconciler/model/change.ts';
import { CORES } from '../../../reconciler/model/cores.ts';
import type { PlumbError } from '../../../reconciler/model/errors.ts';
import type { Context } from '../../../reconciler/model/provider.ts';
import { errno } from '../../support/cgroup-tree.ts';
import { kernel } from '../../support/kernel-files.ts';
import { context, converge, look, machine, want } from '../../support/knobs-rig.ts';

const CPU = 'sys/devices/system/cpu';
const CARD = 'sys/class/net/ens1f0';

describe('interrupts', () => {
  it('keep off the CPUs that replicas have for themselves', async () => {
    const { again, read } = machine('two-socket server');
    await converge(again(), [want('nic.interrupts', 'spread')], context('0-9', '40-49'));
    assert.deepEqual(
      [101, 102].map((irq) => read(`proc/irq/${String(irq)}/smp_affinity_list`)),
      ['10\n', '11\n'],
    );
    // the replicas ended
    await converge(again(), [want('nic.interrupts', 'spread')]);
    assert.equal(read('proc/irq/101/smp_affinity_list'), '0\n');
  });

  it('keep off the CPUs that the kernel keeps work away from', async () => {
    const { root, again } = machine('two-socket server');
    fs.writeFileSync(join(root, `${CPU}/isolated`), '0-3\n');
    fs.writeFileSync(join(root, `${CPU}/nohz_full`), ' (null)\n');
    const free = (await look(again(), 'nic.interrupts')).state.free;
    assert.match(free ?? '', /^4-/);
  });

  it('are unknown, and stay as they are, while nobody can say which CPUs are taken', async () => {
    const { all, again } = machine('two-socket server');
    const before = all();
    const provider = again();
    const cores: Observed = { known: false, ref: CORES, why: 'Docker does not answer' };
    const ctx: Context = { ...context(), world: { get: (ref) => (ref === CORES ? cores : undefined) } };
    const [seen] = await provider.observe(ctx, ['knob/nic.interrupts']);
    assert.equal(seen?.known, false);
    const change = provider.diff([want('nic.interrupts', 'spread')], [await look(again(), 'nic.interrupts')])[0];
    assert.ok(change);
    await assert.rejects(async () => provider.apply(change, ctx), /which CPUs are pinned is not known/);
    assert.deepEqual(all(), before);
  });

  it('that two cards list are of the first', async () => {
    const { root, again } = machine('two-socket server');
    const places = (await look(again(), 'nic.interrupts')).state.places ?? [];
    fs.cpSync(join(root, CARD), join(root, 'sys/class/net/ens1v0'), { recursive: true, verbatimSymlinks: true });
    assert.deepEqual((await look(again(), 'nic.interrupts')).state.places, places);
  });

  it('that refuse are marked with the errno and not tried again, also by nobody who asks for the same', async () => {
    let tries = 0;
    const refusing: Files = {
      ...kernel,
      write: (path, text) => {
        if (!path.includes('/irq/101/')) return kernel.write(path, text);
        tries += 1;
        throw errno('EPERM');
      },
    };
    const { again, read, all } = machine('two-socket server', refusing);
    const before = all();
    const provider = again();
    await converge(provider, [want('nic.interrupts', 'spread')]);
    await converge(provider, [want('nic.interrupts', 'spread')]);
    assert.equal(tries, 1);
    assert.equal(read('proc/irq/102/smp_affinity_list'), '1\n');
    const { limitations, state } = await look(provider, 'nic.interrupts');
    assert.deepEqual(
      limitations?.map((one) => [one.state, one.why]),
      [['Refused', 'ens1f0/irq101: EPERM']],
    );
    assert.equal(state.value, 'spread');
    await converge(provider, []);
    assert.deepEqual(all(), before);
  });

  it('all of which refuse fail once, and are not ours', async () => {
    let tries = 0;
    const refusing: Files = {
      ...kernel,
      write: () => {
        tries += 1;
        throw errno('EIO');
      },
    };
    const { again } = machine('two-socket server', refusing);
    const provider = again();
    const desired = [want('nic.interrupts', 'spread')];
    const [change] = provider.diff(desired, [await look(provider, 'nic.interrupts')]);
    assert.ok(change);
    await assert.rejects(provider.apply(change, context()), (error: PlumbError) => {
      assert.equal(error.code, 'KNOB_REFUSED');
      assert.match(error.message, /^nic\.interrupts = spread: ens1f0\/irq101: EIO/);
      return true;
    });
    assert.equal(tries, 40);
    assert.equal((await look(provider, 'nic.interrupts')).owned, false);
    assert.deepEqual(await converge(provider, desired), []);
    assert.equal(tries, 40);
  });
});
