import { hostname } from 'node:os';
import { steadyClock } from '../../reconciler/loop/clock.ts';
import { createFleetAgent } from '../../reconciler/loop/fleet-agent.ts';
import { openEmbedded } from '../../reconciler/store/embedded/embedded.ts';
import { lockHost } from '../../reconciler/store/embedded/lock.ts';
import { createReopening } from '../../reconciler/store/reopening.ts';
import { healthOf } from '../compose.ts';
import { daemonOptions, type LogFlags } from '../flags.ts';
import { operationalLog } from '../log.ts';
import { fleetStore, storeOptions, type StoreFlags } from '../fleet-store.ts';
import { identityOf } from '../identity.ts';
import type { Io } from '../io.ts';
import { command, parse } from '../options.ts';
import { refuseRehearsal, rehearsalOptions, type RehearsalFlags } from '../rehearsal-options.ts';
import { pathsOf, stateOptions, type StateOptions } from '../paths.ts';
import type { RuntimeFlags } from '../runtime.ts';
import { serveOptions, serveView, type ServeFlags } from '../serve.ts';

interface Options extends StateOptions, StoreFlags, RuntimeFlags, RehearsalFlags, LogFlags, ServeFlags {
  readonly host?: string;
  /** True, or how many hosts. */
  readonly simulated?: true | string;
}

/** `plumb agent`: until SIGINT or SIGTERM; 0 after a graceful stop, 1 when another speaks for the host. */
export async function agentCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command(
    'agent',
    'Keep this machine as its fleet tells it. While store and controllers are away, it keeps to its last Assignment.',
    'plumb agent --store redis://10.0.0.5 --host h1\nplumb agent --store redis://10.0.0.5 --simulated 6000 --latency 200ms..2s --failures 1% --silent 0.5%',
    io,
  );
  serveOptions(cmd);
  cmd.option('--host <name>', 'which Host of Git this machine is (default: its hostname)');
  storeOptions(cmd);
  daemonOptions(cmd);
  stateOptions(cmd);
  rehearsalOptions(cmd);
  const options = parse(cmd, argv)?.opts<Options>();
  if (!options) return 0;
  if (typeof options.simulated === 'string')
    return (await import('../rehearsal.ts')).rehearse(options.simulated, options, io);
  refuseRehearsal(options);
  const { state, socket } = pathsOf(options, io);
  const host = options.host ?? hostname();
  const open = fleetStore(options, { writer: host, host }, io);
  const { factsOf, dockerRuntime, simulatedRuntime } = await import('../runtime.ts');
  const runtime = options.simulated === true ? simulatedRuntime(state) : dockerRuntime(options, state);
  const lock = await lockHost(runtime.key, { state });
  const far = createReopening(open, io.signal);
  const clock = steadyClock();
  try {
    const near = await openEmbedded(state, { clock });
    try {
      const agent = createFleetAgent({
        host,
        holder: identityOf(state, 'agent', hostname()),
        facts: await factsOf(options.simulated === true),
        far,
        near,
        agent: { providers: runtime.providers, health: healthOf(runtime, clock), wall: Date.now },
        clock,
        random: Math.random,
        log: operationalLog(options),
      });
      await serveView(`plumb agent of host ${host}`, agent, near.journal, socket, options, io);
    } finally {
      await near.close();
    }
  } finally {
    await far.close();
    await runtime.close();
    await lock.release();
  }
  return 0;
}
