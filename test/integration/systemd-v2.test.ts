import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, it } from 'node:test';
import { findUml, underUml } from '../support/uml.ts';
import { NEEDS_SYSTEMD, systemd } from '../support/uml-systemd.ts';

const uml = findUml();

after(() => {
  if ('path' in uml) uml.close();
});

it(
  'Plumbline where systemd is the first process and holds cgroup v2',
  {
    skip: 'missing' in uml ? uml.missing : NEEDS_SYSTEMD,
  },
  async () => {
    assert.ok('path' in uml);
    const inside = fileURLToPath(new URL('./systemd-v2.inside.js', import.meta.url));
    const command = [
      process.execPath,
      '--enable-source-maps',
      '--test-reporter=spec',
      ...(process.env['PATTERN'] ? [`--test-name-pattern=${process.env['PATTERN']}`] : []),
      inside,
    ];
    const { status, output } = await underUml(uml, command, 240_000, systemd);
    assert.equal(status, 0, output);
    if (process.env['SHOW']) console.log(output);
    assert.match(output, /pass [0-9]+/);
  },
);
