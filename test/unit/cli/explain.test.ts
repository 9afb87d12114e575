import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { explainCommand } from '../../../cli/explain.ts';
import { speak, type Spoken } from '../../support/verb.ts';

const SHOP = fileURLToPath(new URL('../../../../examples/manifests/shop', import.meta.url));

describe('explain', () => {
  const dir = mkdtempSync(join(tmpdir(), 'plumb-explain-'));
  after(() => {
    rmSync(dir, { recursive: true });
  });
  const explain = (replica: string): Promise<Spoken> =>
    speak(explainCommand, dir, replica, '--repo', SHOP, '--simulated', '--host', 'h1');

  it('shows scores as columns', async () => {
    const { code, out } = await explain('web-0');
    assert.equal(code, 0);
    assert.match(out, /\nCANDIDATE +SWITCH +RACK +HOST +FILL\nh1( +[\d.]+){4}\n/);
  });

  for (const { replica, says } of [
    { replica: 'web', says: /no App in Git has a replica web, but web-0/ },
    { replica: 'wbe-0', says: /no App in Git has a replica wbe-0; did you mean web-0\?/ },
    { replica: 'web-9', says: /there are api-0…1, web-0…2, worker-0$/ },
  ])
    it(`says what there is instead of ${replica}`, async () => {
      await assert.rejects(explain(replica), { code: 'USAGE', message: says });
    });
});
