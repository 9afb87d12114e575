import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Exec, Finished } from '../exec/exec.ts';
import { batchErrors } from './links.ts';

/** The sandbox's end of every veth. */
const DEVICE = 'eth0';

/** What the sandbox's end is to be. */
export interface Wiring {
  readonly address: string;
  readonly prefix: number;
  readonly gateway?: string;
  readonly mac: string;
  readonly mtu: number;
}

/** The inside of a sandbox's network namespace, named by a process in it; by ip, tc and ethtool. All throw PORT_FAILED. */
export interface Inside {
  /** Brings lo and eth0 up, with its address; `software`: its frames are switched in user space, so their checksums must be whole. */
  open(pid: number, software: boolean, wiring: Wiring, signal: AbortSignal): Promise<void>;
  /** Deletes an eth0 that is there, and with it its other end. */
  clear(pid: number, signal: AbortSignal): Promise<void>;
  /** Gives eth0 this MAC, MTU, address and route; `flush` takes all others away. */
  address(pid: number, wiring: Wiring, flush: boolean, signal: AbortSignal): Promise<void>;
  /** Holds what eth0 sends to so many bits a second; undefined lifts that. False: the kernel has no such qdisc. */
  limit(pid: number, rate: number | undefined, signal: AbortSignal): Promise<boolean>;
}

function enter(pid: number): readonly string[] {
  return [`--net=/proc/${String(pid)}/ns/net`];
}

function check(finished: Finished, what: string): void {
  if (finished.status !== 0)
    throw new PlumbError('PORT_FAILED', `${what}: ${finished.stderr || `exit status ${String(finished.status)}`}`);
}

/** Lines for `ip -batch`. */
function addressLines({ address, prefix, gateway, mac, mtu }: Wiring, flush: boolean): readonly string[] {
  return [
    `link set ${DEVICE} address ${mac} mtu ${String(mtu)}`,
    `link set ${DEVICE} up`,
    ...(flush ? [`addr flush dev ${DEVICE}`] : []),
    `addr replace ${address}/${String(prefix)} brd + dev ${DEVICE}`,
    gateway === undefined ? 'route flush exact 0.0.0.0/0' : `route replace default via ${gateway} dev ${DEVICE}`,
  ];
}

/** Lines for `tc -batch`: the qdisc, which may be there already, and its only class. The burst is 10 ms of the rate, and no less than a large segment. */
function limitLines(rate: number): readonly string[] {
  const burst = String(Math.max(65_536, Math.ceil(rate / 8 / 100)));
  const bits = `${String(rate)}bit`;
  return [
    `qdisc add dev ${DEVICE} root handle 1: htb default 1`,
    `class replace dev ${DEVICE} parent 1: classid 1:1 htb rate ${bits} ceil ${bits} burst ${burst} cburst ${burst}`,
  ];
}

/** Sandboxes of this machine. */
export function systemInside(exec: Exec): Inside {
  const run = (pid: number, args: readonly string[], input: string | undefined, signal: AbortSignal) =>
    exec.run('nsenter', [...enter(pid), ...args], { signal, silent: true, ...(input === undefined ? {} : { input }) });
  return {
    async open(pid, software, wiring, signal) {
      const lines = ['link set lo up', `link set ${DEVICE} addrgenmode none`, ...addressLines(wiring, false)];
      const [up, plain] = await Promise.all([
        run(pid, ['ip', '-batch', '-'], lines.join('\n'), signal),
        software ? run(pid, ['ethtool', '-K', DEVICE, 'tx', 'off'], undefined, signal) : undefined,
      ]);
      check(up, 'eth0 could not be brought up in the sandbox');
      if (plain) check(plain, 'TX checksum offload of eth0 could not be switched off');
    },
    async clear(pid, signal) {
      await run(pid, ['ip', 'link', 'del', DEVICE], undefined, signal);
    },
    async address(pid, wiring, flush, signal) {
      const finished = await run(pid, ['ip', '-batch', '-'], addressLines(wiring, flush).join('\n'), signal);
      check(finished, `${wiring.address} could not be set on eth0 in the sandbox`);
    },
    async limit(pid, rate, signal) {
      const lift = () => run(pid, ['tc', 'qdisc', 'del', 'dev', DEVICE, 'root'], undefined, signal);
      if (rate === undefined) {
        const gone = await lift();
        if (!/handle of zero/.test(gone.stderr)) check(gone, 'the sending rate could not be lifted in the sandbox');
        return true;
      }
      const set = async (): Promise<string | undefined> => {
        const finished = await run(pid, ['tc', '-force', '-batch', '-'], limitLines(rate).join('\n'), signal);
        const errors = batchErrors(finished.stderr);
        return [errors.get(0), errors.get(1)].find((error) => error !== undefined && !/Exclusivity flag/.test(error));
      };
      let why = await set();
      if (why !== undefined && !/kind is unknown/.test(why)) {
        await lift(); // another qdisc stands in the way
        why = await set();
      }
      if (why === undefined) return true;
      if (/kind is unknown/.test(why)) return false;
      throw new PlumbError('PORT_FAILED', `the sending rate could not be set in the sandbox: ${why}`);
    },
  };
}
