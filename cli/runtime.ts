import type { Prober } from '../reconciler/model/probe.ts';
import type { Provider } from '../reconciler/model/provider.ts';
import type { HostFacts } from '../reconciler/model/replica.ts';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { cgroups } from '../providers/cgroups/index.ts';
import { countsOf, threadsOf, topologyReader } from '../providers/cgroups/topology.ts';
import { dockerClient } from '../providers/containers/client.ts';
import { containers } from '../providers/containers/index.ts';
import { cores } from '../providers/cgroups/cores.ts';
import { raisedIn } from '../providers/cgroups/raised.ts';
import { chrt } from '../providers/cgroups/scheduling.ts';
import { memory } from '../providers/cgroups/memory.ts';
import type { Emptying } from '../providers/cgroups/reclaim.ts';
import { systemctl } from '../providers/cgroups/systemctl.ts';
import { updateCpuset, updateFrozen, updateLimits } from '../providers/containers/limits.ts';
import { launcher } from '../providers/exec/launcher.ts';
import { ethtool, LIMIT, programOf } from '../providers/host/ethtool.ts';
import { facts } from '../providers/host/facts.ts';
import { host } from '../providers/host/index.ts';
import { knobs } from '../providers/host/knobs/index.ts';
import { monitor } from '../providers/host/monitor.ts';
import { createRefusals } from '../providers/host/refusals.ts';
import { createRivals } from '../providers/host/rivals/rivals.ts';
import { ovs } from '../providers/ovs/index.ts';
import { fixedPart, fixedSandboxPart } from '../providers/containers/spec.ts';
import { namespaceFiles } from '../providers/probes/files.ts';
import { createProber, systemVisitors } from '../providers/probes/index.ts';
import { sandboxSysctls } from '../providers/containers/sysctls.ts';
import { simulated } from '../providers/simulated/index.ts';
import { simulatedProber } from '../providers/simulated/prober.ts';

/** Where the daemons are. */
export interface RuntimeFlags {
  readonly dockerSocket?: string;
  readonly ovsDir?: string;
}

/** What runs replicas on this machine. */
export interface Runtime {
  /** Observing in this order. */
  readonly providers: readonly Provider[];
  readonly prober: Prober;
  /** Names what only one `plumb` at a time may work on. */
  readonly key: string;
  close(): Promise<void>;
}

/** Docker, Open vSwitch and the kernel of this machine. */
export function dockerRuntime(flags: RuntimeFlags, state: string): Runtime {
  const socket = flags.dockerSocket ?? '/var/run/docker.sock';
  const client = dockerClient(socket);
  const visitors = systemVisitors();
  const exec = launcher();
  const rivals = createRivals();
  const emptying: Emptying = new Map();
  const refusals = createRefusals();
  const prober = createProber({ exec: (id, command, signal) => client.engine.exec(id, command, signal), visitors });
  return {
    providers: [
      containers({ client, sysctls: sandboxSysctls({ files: namespaceFiles(visitors) }) }),
      ovs({ runDir: flags.ovsDir ?? '/run/openvswitch', exec }),
      cgroups({
        updateLimits: (id, limits, signal) => updateLimits(client, id, limits, signal),
        systemd: systemctl(exec),
        raised: raisedIn(join(state, 'realtime.json')),
        tellFrozen: (id, frozen, signal) => updateFrozen(client, id, frozen, signal),
        emptying,
        setClass: chrt(exec),
      }),
      cores({
        file: join(state, 'cores.json'),
        tellDocker: (id, cpuset, signal) => updateCpuset(client, id, cpuset, signal),
      }),
      memory({ keptFile: join(state, 'reclaimed.json'), emptying }),
      host({ originalsFile: join(state, 'originals.json'), rivals, refusals }),
      knobs({
        originalsFile: join(state, 'knobs.json'),
        rivals,
        refusals,
        program: ethtool(programOf(exec, LIMIT), monitor),
      }),
    ] as readonly Provider[],
    prober,
    key: `docker ${socket}`,
    close: async () => {
      prober.close();
      client.close();
      await exec.close();
    },
  };
}

/** Files in a folder instead of containers, ports and cgroups; plans and drift by the rules of the real providers. */
export function simulatedRuntime(state: string): Runtime {
  const dir = join(state, 'simulated');
  const prober = simulatedProber(dir);
  const real = dockerRuntime({}, state);
  return {
    providers: [simulated({ dir, rules: real.providers, fixed: { container: fixedPart, sandbox: fixedSandboxPart } })],
    prober,
    key: `simulated ${dir}`,
    close: async () => {
      prober.close();
      await real.close();
    },
  };
}

/** What this machine is. A simulated host needs no Linux: elsewhere it has a round size. */
export async function factsOf(simulatedHost: boolean): Promise<HostFacts> {
  if (!simulatedHost || process.platform === 'linux') {
    const topology = topologyReader()();
    return facts({ cores: { counts: countsOf(topology), threads: threadsOf(topology) } });
  }
  const capacity = { cpu: 4000, memory: 8 * 2 ** 30, pids: 32_768, node0: 4 };
  return { hostname: hostname(), machineId: '', addresses: [], capacity, kernel: process.platform, cgroup: 'v2' };
}
