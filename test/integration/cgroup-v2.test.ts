import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, it } from 'node:test';
import { findUml, underUml } from '../support/uml.ts';

const uml = findUml();

after(() => {
  if ('path' in uml) uml.close();
});

it('the cgroups provider on a real cgroup v2 kernel', { skip: 'missing' in uml ? uml.missing : false }, async () => {
  assert.ok('path' in uml);
  const inside = fileURLToPath(new URL('./cgroup-v2.inside.js', import.meta.url));
  const { status, output } = await underUml(uml, [process.execPath, '--test-reporter=spec', inside], 180_000);
  assert.equal(status, 0, output);
  assert.match(output, /pass [0-9]{2}/);
});
