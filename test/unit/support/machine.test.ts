import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { holdMachine } from '../../support/machine.ts';

const skip = spawnSync('flock', ['--version']).status === 0 ? false : 'needs flock';
const HOLDER = new URL('../../support/machine.js', import.meta.url).href;

describe('files that all of a machine share', { skip }, () => {
  let dir = '';
  const file = (name: string): string => join(dir, name);
  const read = (name: string): string => fs.readFileSync(file(name), 'utf8');
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'machine-'));
    fs.writeFileSync(file('a'), 'first\n');
    fs.writeFileSync(file('b'), '60\n');
  });
  afterEach(() => {
    fs.rmSync(dir, { recursive: true });
  });
  const hold = (): ReturnType<typeof holdMachine> => holdMachine([file('a'), file('b')], file('lock'));

  it('say what they said once they are given back', async () => {
    const giveBack = await hold();
    fs.writeFileSync(file('a'), 'second\n');
    await giveBack();
    assert.deepEqual([read('a'), read('b')], ['first\n', '60\n']);
  });

  it('say so although who held them was killed, with all that it had started', async () => {
    const script = `import fs from 'node:fs';
      const { holdMachine } = await import(${JSON.stringify(HOLDER)});
      await holdMachine([${JSON.stringify(file('a'))}], ${JSON.stringify(file('lock'))});
      fs.writeFileSync(${JSON.stringify(file('a'))}, 'second\\n');
      process.stdout.write('changed\\n');
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    assert.equal(read('a'), 'second\n');
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    while (read('a') !== 'first\n') await sleep(20);
    // whoever comes next has them as they were
    await (
      await hold()
    )();
  });

  it('say so although another process goes on to write them, after pauses that grow', async () => {
    const giveBack = await hold();
    const script = `import fs from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      const file = ${JSON.stringify(file('a'))};
      for (const pause of [0, 0, 0, 0, 0, 400, 1600]) {
        while (fs.readFileSync(file, 'utf8') !== 'first\\n') await sleep(5);
        await sleep(pause);
        fs.writeFileSync(file, 'second\\n');
        process.stdout.write('changed\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let ended = false;
    child.once('exit', () => (ended = true));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await giveBack();
    assert.deepEqual([ended, read('a')], [true, 'first\n']);
  });

  it('are one holder’s at a time', async () => {
    const giveBack = await hold();
    fs.writeFileSync(file('a'), 'second\n');
    let others = false;
    const next = hold().then((done) => {
      others = true;
      assert.equal(read('a'), 'first\n', 'as they were before the first');
      return done;
    });
    await sleep(300);
    assert.equal(others, false);
    await giveBack();
    await (
      await next
    )();
  });

  it('that do not come back are told', async () => {
    const giveBack = await hold();
    fs.rmSync(file('b'));
    fs.mkdirSync(file('b'));
    await assert.rejects(giveBack(), /does not come back: .*\/b/);
  });
});
