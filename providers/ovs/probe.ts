import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { stopped } from './connection.ts';
import type { Exec } from '../exec/exec.ts';
import type { Guarded } from './flows.ts';
import { gathered } from '../exec/gather.ts';

/** Which address is asked for, and on which wire. */
export interface Question {
  readonly bridge: string;
  readonly vlan: number;
  readonly address: string;
}

/** Who answered whom: MACs, and the number of the port by which the answer came in. */
export interface Answer {
  readonly to: string;
  readonly address: string;
  readonly mac: string;
  readonly ofport: number;
}

/**
 * The MAC that answers for an address within the window (milliseconds), if any does. `guards` are the ports that may speak for
 * their own addresses only: they are not believed about others. Throws OVS_UNAVAILABLE, TIMEOUT, CANCELLED.
 */
export type Probe = (
  question: Question,
  window: number,
  guards: () => readonly Guarded[],
  signal: AbortSignal,
) => Promise<string | undefined>;

/** Where answers are noted. No frame gets there: it is the last table but one, and nothing of ours leads to it. */
const NOTES = 253;
/** Above the flows of guarded ports, whose answers must be heard as well. */
const PRIORITY = 2200;
/** Milliseconds for which a question waits for others, to share a run with them. */
const GATHERING = 10;
/** Seconds after which Open vSwitch forgets what a probe left behind. */
const FORGOTTEN = 10;
/** What all probes' cookies begin with, and the rest of each is its own. */
const COOKIES = '0x5051000000000000/0xffff000000000000';

/** Who asks: a cookie of 16 hexadecimal digits, and a MAC for each VLAN that no replica has (theirs begin with x2). */
export interface Asker {
  readonly cookie: string;
  readonly mac: (vlan: number) => string;
}

/** The asker of six random bytes. */
export function askerOf(random: Buffer): Asker {
  const digits = random.toString('hex');
  return {
    cookie: `5051${digits}`,
    mac: (vlan) => {
      const hex = `${digits.slice(0, 1)}6${digits.slice(1, 8)}${vlan.toString(16).padStart(3, '0')}`;
      return hex.match(/../g)?.join(':') ?? '';
    },
  };
}

/** An ARP probe (RFC 5227, 2.1.1): a request that names no sender's address, so that nobody takes it for news. In hexadecimal digits. */
export function arpProbe(mac: string, vlan: number, address: string): string {
  const own = mac.replaceAll(':', '');
  const tag = vlan === 0 ? '' : `8100${vlan.toString(16).padStart(4, '0')}`;
  const target = Buffer.from(address.split('.').map(Number)).toString('hex');
  return `ffffffffffff${own}${tag}08060001080006040001${own}00000000000000000000${target}`;
}

/** Lines for `ovs-ofctl bundle`: flows that note who answers the asker, and the requests. */
export function questionLines({ cookie, mac }: Asker, questions: readonly Question[]): readonly string[] {
  const life = `hard_timeout=${String(FORGOTTEN)},cookie=0x${cookie}`;
  const note = ['eth_type=0x0806', 'NXM_OF_ETH_DST[]', 'NXM_OF_ARP_SPA[]', 'NXM_NX_ARP_SHA[]', 'NXM_OF_IN_PORT[]'];
  const learn = `learn(table=${String(NOTES)},${life},${note.join()})`;
  const vlans = [...new Set(questions.map(({ vlan }) => vlan))];
  const matching = (vlan: number): string => `priority=${String(PRIORITY)},arp,arp_op=2,dl_dst=${mac(vlan)}`;
  return [
    ...vlans.map((vlan) => `flow add table=0,${life},${matching(vlan)},actions=${learn}`),
    ...questions.map(
      ({ vlan, address }) =>
        `packet-out in_port=controller,packet=${arpProbe(mac(vlan), vlan, address)},actions=NORMAL`,
    ),
  ];
}

/** The answers that a dump of the notes shows. */
export function answersOf(dump: string): readonly Answer[] {
  const lines = dump.matchAll(
    /in_port=(\d+),.*?dl_dst=([0-9a-f:]{17}),.*?arp_spa=([0-9.]+),.*?arp_sha=([0-9a-f:]{17})/g,
  );
  return [...lines].map(([, port = '', to = '', address = '', mac = '']) => ({
    to,
    address,
    mac,
    ofport: Number(port),
  }));
}

/** Whether it may be believed: a guarded port's word counts for its own address only. */
function credible({ ofport, address, mac }: Answer, guards: readonly Guarded[]): boolean {
  const guard = guards.find((one) => one.ofport === ofport);
  return guard === undefined || (guard.address === address && guard.mac === mac);
}

interface Wire {
  readonly ask: (question: Question) => Promise<Asker>;
  readonly hear: (asker: Asker) => Promise<readonly Answer[]>;
}

/**
 * Probes from the bridge itself, by ovs-ofctl: it needs no port and no sandbox, and all addresses that are asked for at once share
 * two runs. Answers come to a MAC of this run alone (a flow that the datapath knows already would be noted late), are noted by a flow
 * in a table of their own, and go by themselves. `limit` is milliseconds that a run may take.
 */
export function systemProbe(exec: Exec, limit: number): Probe {
  const wires = new Map<string, Wire>();

  async function ofctl(args: readonly string[], input?: string): Promise<string> {
    const options = { signal: AbortSignal.timeout(limit), ...(input === undefined ? {} : { input }) };
    const finished = await exec.run('ovs-ofctl', ['-O', 'OpenFlow14', ...args], options);
    if (finished.status === 0) return finished.stdout;
    throw new PlumbError('OVS_UNAVAILABLE', `ovs-ofctl ${args.join(' ')}: ${finished.stderr || 'no answer'}`);
  }

  const wireOf = (bridge: string): Wire => ({
    ask: gathered(async (questions) => {
      const asker = askerOf(randomBytes(6));
      await ofctl(['bundle', bridge, '-'], `${questionLines(asker, questions).join('\n')}\n`);
      return questions.map(() => asker);
    }, GATHERING),
    hear: gathered(async (askers) => {
      const dump = await ofctl(['--no-names', 'dump-flows', bridge, `table=${String(NOTES)},cookie=${COOKIES}`]);
      const answers = answersOf(dump);
      return askers.map(() => answers);
    }),
  });

  return async ({ bridge, vlan, address }, window, guards, signal) => {
    const wire = wires.get(bridge) ?? wireOf(bridge);
    wires.set(bridge, wire);
    const asker = await wire.ask({ bridge, vlan, address });
    await sleep(window, undefined, { signal }).catch(() => {
      throw stopped(signal, `asking who has ${address}`);
    });
    const answers = (await wire.hear(asker)).filter((one) => one.to === asker.mac(vlan) && one.address === address);
    return answers.find((answer) => credible(answer, guards()))?.mac;
  };
}
