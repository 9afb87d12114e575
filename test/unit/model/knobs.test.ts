import assert from 'node:assert/strict';
import { it } from 'node:test';
import { knobsOf } from '../../../reconciler/model/knobs.ts';
import { catalogOf } from '../../support/catalog.ts';

it('finds the line of each knob, also of limits and of names written with slashes', () => {
  const sysctls = { 'vm.swappiness': '1', 'kernel.pid_max': '2', 'net.ipv4.conf.eth0/1.mtu': '3' };
  const tuning = catalogOf({ tunings: { t: { sysctls, ovsOtherConfig: { 'max-idle': '4' } } } }).tunings.get('t');
  assert.ok(tuning);
  const at = (line: number): typeof tuning.origin => ({ ...tuning.origin, line });
  const fields = {
    '/spec/sysctls/vm.swappiness': at(11),
    '/spec/limits/pidMax': at(12),
    '/spec/sysctls/net~1ipv4~1conf~1eth0.1~1mtu': at(13),
  };
  assert.deepEqual(
    knobsOf({ ...tuning, fields }).map(({ kind, value, origin }) => [kind, value, origin.line]),
    [
      ['sysctl', '1', 11],
      ['sysctl', '2', 12],
      ['sysctl', '3', 13],
      ['ovs-config', '4', 1],
    ],
  );
});
