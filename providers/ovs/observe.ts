import type { Known, Limitation, Observed } from '../../reconciler/model/change.ts';
import type { Context, World } from '../../reconciler/model/provider.ts';
import { configPlace } from '../../reconciler/model/ovs-config.ts';
import { kindOf, nameOf, refOf, type Ref } from '../../reconciler/model/ref.ts';
import type { SandboxState } from '../../reconciler/model/resources.ts';
import { UNANNOUNCED_AGE } from '../../reconciler/model/unannounced.ts';
import { cookieOf, type Flows, type Guarded } from './flows.ts';
import { isReadAtStart, unheld, type AskDaemon } from './daemon.ts';
import { gathered } from '../exec/gather.ts';
import type { Kernel } from './kernel.ts';
import type { Links } from './links.ts';
import { MARKS } from './marks.ts';
import type { Tables } from './rows.ts';
import {
  bridgeState,
  configStates,
  ownPorts,
  portState,
  type BridgeSeen,
  type OvsConfigSeen,
  type PortRows,
  type PortSeen,
} from './state.ts';

/** What observing asks beside the database. */
export interface Eyes {
  readonly kernel: Kernel;
  readonly links: Links;
  readonly flows: Flows;
  readonly daemon: AskDaemon;
}

/** Milliseconds for which the dump of a flow table and the list of qdiscs are believed. */
const FLOWS_AGE = 30_000;
const QDISCS_AGE = 60_000;
const QDISCS_LIMIT = 5000;

/** The sandbox of a replica, if it is known to run now. */
export function sandboxOf(world: World, replica: string): { readonly id: string; readonly pid: number } | undefined {
  const seen = world.get(refOf('sandbox', replica));
  if (seen?.known !== true) return undefined;
  const { id, running, pid } = seen.state as SandboxState;
  return running && pid !== undefined ? { id, pid } : undefined;
}

/** The port as its flows see it; undefined while it has no number or is not to have flows. */
function guardedOf({ row, interface: iface }: PortRows): Guarded | undefined {
  const mac = row.external_ids[MARKS.mac];
  const [address] = (row.external_ids[MARKS.address] ?? '').split('/');
  if (row.external_ids[MARKS.antiSpoofing] !== 'on' || mac === undefined || !address) return undefined;
  return iface?.ofport === undefined || iface.ofport <= 0 ? undefined : { ofport: iface.ofport, mac, address };
}

/** All ports of the fleet on a bridge that are to have flows. */
export function guardedPorts(tables: Tables, fleet: string, bridge: string): readonly Guarded[] {
  const all = [...ownPorts(tables, fleet).values()].flat();
  return all.filter((rows) => rows.bridge.name === bridge).flatMap((rows) => guardedOf(rows) ?? []);
}

/** Names of the bridges where a port of the fleet is to have flows. */
export function guardedBridges(tables: Tables, fleet: string): readonly string[] {
  const all = [...ownPorts(tables, fleet).values()].flat();
  return [...new Set(all.filter((rows) => guardedOf(rows)).map((rows) => rows.bridge.name))];
}

/** The keys of bridges that are asked about and are not there. */
function absentBridges(tables: Tables, asked: readonly Ref[]): readonly Known<OvsConfigSeen>[] {
  const there = new Set([...tables.Bridge.values()].map(({ name }) => name));
  return asked.flatMap((ref): readonly Known<OvsConfigSeen>[] => {
    const { bridge } = configPlace(nameOf(ref));
    if (kindOf(ref) !== 'ovs-config' || bridge === undefined || there.has(bridge)) return [];
    const why = `there is no bridge ${bridge} on this host`;
    return [
      {
        known: true,
        ref,
        owned: false,
        state: { absent: true },
        limitations: [{ ref, path: '/value', state: 'Unsupported', why }],
      },
    ];
  });
}

/** Sees ports, bridges and other_config. */
export interface Observer {
  ports(tables: Tables, ctx: Context, refs?: ReadonlySet<Ref>): Promise<readonly Observed<PortSeen>[]>;
  bridges(tables: Tables, fleet: string): readonly Known<BridgeSeen>[];
  /** `asked`: keys of bridges that are not there are told for them. */
  config(tables: Tables, ctx: Context, asked: readonly Ref[]): Promise<readonly Known<OvsConfigSeen>[]>;
  /** The list of qdiscs is read again for the next port. */
  forget(): void;
}

export function observer(eyes: Eyes): Observer {
  let linksAt = -Infinity;
  let qdiscs: { readonly devices: ReadonlySet<string>; readonly at: number } | undefined;
  const list = gathered<AbortSignal, ReadonlySet<string>>(async (signals) => {
    const at = performance.now();
    const devices = await eyes.links.shaped(AbortSignal.timeout(QDISCS_LIMIT));
    qdiscs = { devices, at };
    return signals.map(() => devices);
  });

  async function isShaped(device: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const fresh = qdiscs !== undefined && performance.now() - qdiscs.at <= QDISCS_AGE ? qdiscs.devices : undefined;
    return (fresh ?? (await list(signal))).has(device);
  }

  async function limitations(ref: Ref, rows: PortRows, state: PortSeen, signal: AbortSignal): Promise<Limitation[]> {
    const found: Limitation[] = [];
    const unsupported = (path: string, why: string): void => {
      found.push({ ref, path, state: 'Unsupported', why });
    };
    if (rows.row.external_ids[MARKS.unsupported] === 'egress')
      unsupported('/egress', 'the kernel has no htb qdisc (sch_htb): what the replica sends is not limited');
    // OVSDB shows no error when the kernel lacks the qdisc
    if (state.broken === undefined && (state.ingress ?? 0) > 0 && !(await isShaped(state.device, signal)))
      unsupported('/ingress', `tc shows no htb qdisc on ${state.device}: what the replica receives is not limited`);
    return found;
  }

  async function port(
    ref: Ref,
    all: readonly [PortRows, ...PortRows[]],
    ctx: Context,
    link: 'read' | 'known',
  ): Promise<Observed<PortSeen>> {
    const [first] = all;
    const guarded = guardedOf(first);
    let flows = false;
    if (guarded) {
      try {
        const cookies = await eyes.flows.cookies(first.bridge.name, FLOWS_AGE, ctx.signal);
        flows = cookies.has(cookieOf(ctx.fleet, guarded));
      } catch (error) {
        return { known: false, ref, why: error instanceof Error ? error.message : String(error) };
      }
    }
    const state = portState(all, { kernel: eyes.kernel, link, sandbox: sandboxOf(ctx.world, nameOf(ref)), flows });
    const missing = await limitations(ref, first, state, ctx.signal);
    return {
      known: true,
      ref,
      state,
      owned: true,
      version: first.uuid,
      ...(missing.length === 0 ? {} : { limitations: missing }),
    };
  }

  return {
    async ports(tables, ctx, refs) {
      const seen: Observed<PortSeen>[] = [];
      const due = performance.now() - linksAt >= UNANNOUNCED_AGE;
      if (!refs && due) linksAt = performance.now();
      const link = refs || due ? 'read' : 'known';
      for (const [ref, [first, ...others]] of ownPorts(tables, ctx.fleet)) {
        if (first && (refs?.has(ref) ?? true)) seen.push(await port(ref, [first, ...others], ctx, link));
      }
      return seen;
    },
    bridges: (tables, fleet) =>
      [...tables.Bridge].map(([uuid, row]) => {
        const state = bridgeState(tables, row, fleet);
        const owned = state.made || state.uplinks.length > 0;
        return { known: true, ref: refOf('bridge', row.name), state, owned, version: uuid };
      }),
    async config(tables, ctx, asked) {
      const seen = [...configStates(tables, ctx.fleet)].map(([key, { owned, ...state }]): Known<OvsConfigSeen> => ({
        known: true,
        ref: refOf('ovs-config', key),
        state,
        owned,
      }));
      const atStart = seen.some(({ ref, owned }) => (owned || asked.includes(ref)) && isReadAtStart(nameOf(ref)));
      const daemon = atStart ? await eyes.daemon(ctx.signal) : undefined;
      const told = seen.map((one) => {
        const limitation = daemon && unheld(one.ref, one.state, daemon);
        return limitation === undefined ? one : { ...one, limitations: [limitation] };
      });
      return [...told, ...absentBridges(tables, asked)];
    },
    forget() {
      qdiscs = undefined;
    },
  };
}
