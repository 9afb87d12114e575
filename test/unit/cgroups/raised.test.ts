import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { disk } from '../../../providers/cgroups/files.ts';
import { lowerRealtime } from '../../../providers/cgroups/nested.ts';
import { raisedIn } from '../../../providers/cgroups/raised.ts';
import { errno } from '../../support/cgroup-tree.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'plumbline-raised-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const boot = (): string => 'one';

describe('budgets that were raised', () => {
  it('are kept for the next process of the same boot', () => {
    const path = join(root, 'realtime.json');
    raisedIn(path, boot).note('/docker', 100);
    raisedIn(path, boot).note('/docker', 200);
    assert.equal(raisedIn(path, boot).of('/docker'), 100, 'one that is there already stays');
    assert.equal(raisedIn(path, () => 'two').size, 0);
    raisedIn(path, boot).forget('/docker');
    assert.equal(raisedIn(path, boot).size, 0);
  });

  it('are not noted where the disk does not take them: whoever raises asks again', () => {
    const path = join(root, 'state/realtime.json');
    writeFileSync(join(root, 'state'), 'no directory');
    const raised = raisedIn(path, boot);
    for (const _again of [1, 2]) assert.throws(() => raised.note('/docker', 100));
    assert.equal(raised.size, 0);
    rmSync(join(root, 'state'));
    raised.note('/docker', 100);
    assert.equal(raisedIn(path, boot).size, 1);
  });

  it('are lowered one by one: what the kernel does not take now keeps none of the others', () => {
    const raised = raisedIn(undefined, boot);
    const [stuck, free] = [join(root, 'stuck/below'), join(root, 'free')];
    for (const directory of [stuck, free]) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'cpu.rt_runtime_us'), '500\n');
      raised.note(directory, 0);
    }
    const written: string[] = [];
    const files = {
      ...disk,
      write: (path: string): void => {
        if (path.includes('stuck')) throw errno('EBUSY');
        written.push(path);
      },
    };
    lowerRealtime({ files, raised });
    assert.deepEqual(written, [join(free, 'cpu.rt_runtime_us')]);
    assert.deepEqual(raised.directories(), [stuck]);
  });
});
