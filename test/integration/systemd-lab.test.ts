import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, it } from 'node:test';
import { findUml, UML_PATIENCE, underUml } from '../support/uml.ts';
import { NEEDS_SYSTEMD, systemdWith } from '../support/uml-systemd.ts';

const uml = findUml();
const skip = 'missing' in uml ? uml.missing : NEEDS_SYSTEMD;

after(() => {
  if ('path' in uml) uml.close();
});

it('a lab below systemd under cgroup v2', { skip }, async () => {
  assert.ok('path' in uml);
  const inside = fileURLToPath(new URL('./systemd-lab.inside.js', import.meta.url));
  const command = [process.execPath, '--enable-source-maps', '--test-reporter=spec', inside];
  const { status, output } = await underUml(uml, command, UML_PATIENCE, systemdWith());
  assert.equal(status, 0, output);
  assert.match(output, /pass [0-9]/);
});
