import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VERBS } from '../../../cli/verbs.ts';
import { speak } from '../../support/verb.ts';

const UNITS = fileURLToPath(new URL('../../../../examples/systemd', import.meta.url));

const NO_SYSTEMD = spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not installed' : false;

/** Section → key → values, as systemd reads a unit. */
function parsed(text: string): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const sections = new Map<string, Map<string, string[]>>();
  let section = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const title = /^\[(\w+)\]$/.exec(line)?.[1];
    if (title !== undefined) sections.set(title, (section = new Map<string, string[]>()));
    const [, key, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) section.set(key, [...(section.get(key) ?? []), value]);
  }
  return sections;
}

describe('the systemd units', () => {
  for (const name of readdirSync(UNITS).filter((file) => file.endsWith('.service'))) {
    const text = readFileSync(join(UNITS, name), 'utf8');
    const service = parsed(text).get('Service');
    const [start = ''] = service?.get('ExecStart') ?? [];
    const [program, verb = '', ...argv] = start.split(' ');

    it(`${name} starts a verb with options that it has`, async () => {
      assert.equal(program, '/opt/plumbline/bin/plumb');
      const run = await VERBS.find((one) => one.name === verb)?.load();
      assert.ok(run, `there is a verb ${verb}`);
      const { out } = await speak(run, '/', '--help');
      for (const flag of argv.filter((word) => word.startsWith('-'))) assert.match(out, new RegExp(`${flag}[ ,]`));
      assert.doesNotMatch(start, /redis:/, 'a password on a command line is seen by everybody');
    });

    it(`${name} comes back, and leaves alone what runs`, () => {
      assert.deepEqual([service?.get('Restart'), parsed(text).get('Install')?.size], [['always'], 1]);
      // a controller has no containers below it
      if (verb !== 'controller') assert.deepEqual(service?.get('KillMode'), ['process']);
    });

    it(`${name} is understood by systemd`, { skip: NO_SYSTEMD }, () => {
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(UNITS, name)], { encoding: 'utf8' });
      const own = stderr
        .split('\n')
        .filter((line) => line.includes(name) && !line.includes('/opt/plumbline/bin/plumb'));
      assert.deepEqual(own, []);
    });
  }
});
