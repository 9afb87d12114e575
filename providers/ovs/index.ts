import type { Change, Observed } from '../../reconciler/model/change.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Context, Provider } from '../../reconciler/model/provider.ts';
import { kindOf, type Ref } from '../../reconciler/model/ref.ts';
import type { BridgeSpec, OvsConfigSpec, PortSpec } from '../../reconciler/model/resources.ts';
import { systemAnnounce } from './announce.ts';
import { applyBridge } from './bridge.ts';
import { ovsdbClient } from './client.ts';
import { groupCommits } from './commit.ts';
import { applyConfig } from './config.ts';
import { systemDaemon } from './daemon.ts';
import { PROVIDER, diffOvs, type OvsSpec, type OvsState } from './diff.ts';
import { systemExec, type Exec } from '../exec/exec.ts';
import { systemFlows } from './flows.ts';
import { systemInside } from './inside.ts';
import { systemKernel } from './kernel.ts';
import { systemLinks } from './links.ts';
import { observer } from './observe.ts';
import { applyPort, type Hands } from './port.ts';
import { systemProbe } from './probe.ts';
import { watchOvs } from './watch.ts';

export type { OvsSpec, OvsState } from './diff.ts';

/** Where Open vSwitch and the kernel are found, and how patient to be (milliseconds). Each has the usual value by default. */
export interface OvsOptions {
  /** Directory of the sockets of ovsdb-server and ovs-vswitchd. */
  readonly runDir?: string;
  /** Socket of ovsdb-server. */
  readonly socket?: string;
  /** What starts programs. */
  readonly exec?: Exec;
  readonly sysRoot?: string;
  readonly procRoot?: string;
  /** How long a program, a reply or a reconfiguration may take. */
  readonly limit?: number;
  /** How long another machine may take to answer an ARP probe. */
  readonly probeWindow?: number;
}

const KINDS = ['bridge', 'port', 'ovs-config'] as const;

/** Bridges, sandbox ports and other_config of this host's Open vSwitch. */
export function ovs(options: OvsOptions = {}): Provider<OvsSpec, OvsState> {
  const { runDir = '/run/openvswitch', sysRoot = '/sys', procRoot = '/proc', limit = 5000 } = options;
  const { socket = `${runDir}/db.sock`, probeWindow = 250, exec = systemExec() } = options;
  const client = ovsdbClient({ socket, timeout: limit, keepalive: limit });
  const links = systemLinks(exec, limit);
  const flows = systemFlows(exec, runDir, limit);
  const daemon = systemDaemon(client, runDir, procRoot);
  const seeing = observer({ kernel: systemKernel(sysRoot, procRoot), links, flows, daemon });
  const hands: Hands = {
    client,
    commits: groupCommits(client, limit),
    links,
    inside: systemInside(exec),
    probe: systemProbe(exec, limit),
    announce: systemAnnounce(exec, limit),
    flows,
    observer: seeing,
    daemon,
    probeWindow,
    limit,
  };

  async function all(ctx: Context, refs: readonly Ref[] | undefined): Promise<readonly Observed<OvsState>[]> {
    const tables = await client.fresh(ctx.signal);
    const asked = refs === undefined ? undefined : new Set(refs);
    const wanted = (kind: string): boolean => refs?.some((ref) => kindOf(ref) === kind) ?? true;
    const seen: Observed<OvsState>[] = [];
    if (wanted('bridge')) seen.push(...seeing.bridges(tables, ctx.fleet));
    if (wanted('ovs-config')) seen.push(...(await seeing.config(tables, ctx, refs ?? ctx.wanted ?? [])));
    if (wanted('port')) seen.push(...(await seeing.ports(tables, ctx, asked)));
    return asked === undefined ? seen : seen.filter((one) => asked.has(one.ref));
  }

  return {
    name: PROVIDER,
    kinds: KINDS,
    looksAt: ['sandbox'],
    async observe(ctx, refs) {
      try {
        return await all(ctx, refs);
      } catch (error) {
        if (refs === undefined || !(error instanceof PlumbError)) throw error;
        return refs.map((ref) => ({ known: false, ref, why: error.message }));
      }
    },
    diff: diffOvs,
    apply(change, ctx) {
      switch (kindOf(change.ref)) {
        case 'port':
          return applyPort(hands, change as Change<PortSpec>, ctx);
        case 'bridge':
          return applyBridge(hands, change as Change<BridgeSpec>, ctx);
        default:
          return applyConfig(hands, change as Change<OvsConfigSpec>, ctx);
      }
    },
    watch: (ctx) => watchOvs(client, flows, runDir, ctx),
  };
}
