import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { reclaimedIn } from '../../../providers/cgroups/reclaimed.ts';

const DAY = 86_400_000;

describe('when memory was last given back', () => {
  let dir = '';
  const file = (): string => join(dir, 'reclaimed.json');
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'reclaimed-'));
  });
  afterEach(() => {
    fs.rmSync(dir, { recursive: true });
  });

  it('outlives the agent', () => {
    const kept = reclaimedIn(file());
    assert.equal(kept.of('memory/web-0'), undefined);
    kept.put('memory/web-0', { at: 5, freed: 7 });
    kept.put('memory/host', { at: 6, freed: 0 });
    kept.put('memory/web-0', { at: 8, freed: 9 });
    const again = reclaimedIn(file());
    assert.deepEqual(
      [again.of('memory/web-0'), again.of('memory/host')],
      [
        { at: 8, freed: 9 },
        { at: 6, freed: 0 },
      ],
    );
  });

  it('is forgotten after thirty days, so that the file does not grow for ever', () => {
    const kept = reclaimedIn(file());
    kept.put('memory/old-0', { at: 0, freed: 1 });
    kept.put('memory/young-0', { at: DAY, freed: 1 });
    kept.put('memory/web-0', { at: 30 * DAY + 1, freed: 1 });
    const again = reclaimedIn(file());
    assert.equal(again.of('memory/old-0'), undefined);
    assert.equal(again.of('memory/young-0')?.at, DAY);
  });

  it('is known to this process although it cannot be written, which is told', () => {
    const kept = reclaimedIn(join(dir, 'none', 'reclaimed.json'));
    fs.writeFileSync(join(dir, 'none'), 'a file where a folder should be');
    assert.throws(() => {
      kept.put('memory/web-0', { at: 5, freed: 7 });
    });
    assert.deepEqual(kept.of('memory/web-0'), { at: 5, freed: 7 });
  });

  for (const text of ['', '[', 'null', '{"memory/web-0": null}', '{"memory/web-0": {"at": "5", "freed": 1}}'])
    it(`is nothing where the file says ${JSON.stringify(text)}`, () => {
      fs.writeFileSync(file(), text);
      const kept = reclaimedIn(file());
      assert.equal(kept.of('memory/web-0'), undefined);
      kept.put('memory/web-0', { at: 5, freed: 7 });
      assert.deepEqual(reclaimedIn(file()).of('memory/web-0'), { at: 5, freed: 7 });
    });
});
