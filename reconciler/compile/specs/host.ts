import type { Host } from '../../../schemas/types.ts';
import type { Hardware, HostSpec } from '../../model/catalog.ts';
import { parseIpv4 } from '../../model/ipv4.ts';
import { parseBytes, parseCpu } from '../../model/units.ts';
import { defined, filled } from './say.ts';
import type { Say } from './say.ts';

/** The Host's spec in plain units. */
export function hostSpec({ spec }: Host, say: Say): HostSpec {
  const { machine = {}, topology = {}, capacity = {} } = spec;
  if (machine.address !== undefined && parseIpv4(machine.address) === undefined)
    say('/spec/machine/address', 'BAD_VALUE', `"${machine.address}" is not an IPv4 address`, 'as 192.0.2.7');
  return {
    machine: defined<HostSpec['machine']>(machine),
    topology: defined<HostSpec['topology']>(topology),
    ...(spec.hardware === undefined ? {} : { hardware: hardwareOf(spec.hardware) }),
    capacity: defined<HostSpec['capacity']>({
      cpu: capacity.cpu === undefined ? undefined : parseCpu(capacity.cpu),
      memory: capacity.memory === undefined ? undefined : parseBytes(capacity.memory),
      pids: capacity.pids,
      disk: capacity.disk === undefined ? undefined : parseBytes(capacity.disk),
      spindles: capacity.spindles === undefined ? undefined : capacity.spindles * 1000,
    }),
    reservedCores: filled(spec.reservedCores),
    performance: filled(spec.performance),
    schedulable: filled(spec.schedulable),
    drain: filled(spec.drain),
  };
}

function hardwareOf({ cpu, memory, kernel, nics, disks }: NonNullable<Host['spec']['hardware']>): Hardware {
  return {
    cpu: defined<Hardware['cpu']>({ vendor: cpu?.vendor, model: cpu?.model, cores: cpu?.cores, nodes: cpu?.nodes }),
    nics: (nics ?? []).map(defined<Hardware['nics'][number]>),
    disks: (disks ?? []).map(defined<Hardware['disks'][number]>),
    ...defined<Pick<Hardware, 'memory' | 'kernel'>>({
      memory: memory === undefined ? undefined : parseBytes(memory),
      kernel,
    }),
  };
}
