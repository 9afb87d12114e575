import type { CardFacts } from '../providers/host/inventory/cards.ts';
import type { Inventory } from '../providers/host/inventory/inventory.ts';
import { powerWords } from '../providers/host/inventory/power.ts';
import { counted } from '../reconciler/model/words.ts';
import { hostDocument, type MachineFacts } from './host-document.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';
import { table, tint } from './table.ts';

/** `plumb host facts`: what this machine has, as a person reads it, as JSON, or as its Host document. 0. */
export async function hostFactsCommand(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(factsVerb(io), argv);
  if (!parsed) return 0;
  const { output, name } = parsed.opts<{ readonly output: 'text' | 'json' | 'yaml'; readonly name?: string }>();
  const { factsOf } = await import('./runtime.ts');
  const { inventory } = await import('../providers/host/inventory/inventory.ts');
  const { lackingLimits } = await import('../providers/cgroups/abilities.ts');
  const machine = inventory();
  const found = { ...machine, missing: [...machine.missing, ...missingLimits(lackingLimits())] };
  const facts: MachineFacts = { ...(await factsOf(false)), inventory: found, ...(await asked(found, io)) };
  if (output === 'json') io.out(`${JSON.stringify({ version: 1, ...facts }, null, 2)}\n`);
  else io.out(output === 'yaml' ? hostDocument(facts, name) : factsText(facts, io));
  return 0;
}

/** Limits of Apps that the kernel has no file for, as one that is missing. */
function missingLimits(limits: readonly string[]): Inventory['missing'] {
  if (limits.length === 0) return [];
  return [{ what: 'files of this kernel’s cgroups', needs: `limits of Apps: ${limits.join(', ')} (docs/knobs.md)` }];
}

/** What has to be asked for: cards of ethtool, Open vSwitch of its database. What does not answer is left out. */
async function asked({ nics, ovs }: Inventory, io: Io): Promise<Pick<MachineFacts, 'cards' | 'ovs'>> {
  const { cardFacts } = await import('../providers/host/inventory/cards.ts');
  const { ovsFacts } = await import('../providers/ovs/facts.ts');
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(20_000)]);
  const names = nics.map(({ name }) => name);
  const [cards, says] = await Promise.all([
    cardFacts(names, signal).catch(() => []),
    ovs.running ? ovsFacts(signal).catch(() => undefined) : undefined,
  ]);
  return { cards, ...(says === undefined ? {} : { ovs: says }) };
}

/** The verb with its options, also for the help of `plumb host`. */
export function factsVerb(io: Io): ReturnType<typeof command> {
  return command(
    'host facts',
    'Show what this machine has, and what is missing for what. Nothing is written or sent.',
    'plumb host facts\nplumb host facts -o yaml > hosts/$(hostname).yaml\nplumb host facts -o json | jq .inventory.nics',
    io,
  )
    .addOption(outputOption('text', 'json', 'yaml'))
    .option('--name <name>', 'metadata.name of the Host document (default: the hostname)');
}

/** Bytes in the binary unit in which they are at least one, to a tenth. */
function rounded(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [value, at] = [bytes, 0];
  for (; value >= 1024 && at < units.length - 1; at += 1) value /= 1024;
  return `${String(Math.round(value * 10) / 10)} ${units[at] ?? ''}`;
}

const LETTERS: Readonly<Record<string, string>> = { Data: 'd', Instruction: 'i' };

function lines({ inventory, ...facts }: MachineFacts): readonly (readonly [string, string])[] {
  const { cpu, memory, power, controllers, ovs } = inventory;
  const caches = cpu.caches.map(
    ({ level, type, bytes, cpus }) =>
      `L${String(level)}${LETTERS[type] ?? ''} ${rounded(bytes)} for ${counted(cpus, 'CPU')}`,
  );
  const nodes = cpu.nodes.map(
    ({ node, cpus, memory: bytes }) => `node ${String(node)}: CPUs ${cpus || 'none'}, ${rounded(bytes)}`,
  );
  const datapaths = ['netdev', ...(ovs.kernelDatapath ? ['system'] : [])].join(' and ');
  return [
    [
      'machine',
      `${facts.hostname}, ${facts.machineId || 'no machine-id'}, ${facts.addresses.join(' ') || 'no IPv4 address'}`,
    ],
    ['kernel', `${facts.kernel} ${facts.platform ?? ''}`],
    [
      'cpu',
      `${cpu.model} (${cpu.vendor}): ${counted(cpu.sockets, 'socket')}, ${counted(cpu.cores, 'core')}, ${counted(cpu.threads, 'CPU')}`,
    ],
    ['numa', nodes.join('; ') || 'not known'],
    ['caches', caches.join(', ') || 'not known'],
    ['memory', `${rounded(memory.bytes)}, swap ${rounded(memory.swap)}`],
    ['power', powerWords(power)],
    ['cgroup', `${facts.cgroup}: ${controllers.join(' ')}`],
    ['ovs', ovs.running ? `runs, ${ovsWords(facts.ovs) ?? `datapath ${datapaths}`}` : 'does not run'],
  ];
}

/** `3.1.0, datapaths netdev and system, built without DPDK`; undefined where it does not answer. */
function ovsWords(ovs: MachineFacts['ovs']): string | undefined {
  if (ovs === undefined) return undefined;
  const { version = 'unknown version', dpdk, datapaths } = ovs;
  const words = dpdk === undefined ? 'built without DPDK' : dpdk ? 'DPDK ready' : 'DPDK not in use';
  return `${version}, datapaths ${datapaths.join(' and ')}, ${words}`;
}

/** A row of a card: rings and channels as `512/4096` (now, the most), coalescing, and which offloads that may be changed are off. */
function cardRow({ name, rings, channels, coalescing, offloads }: CardFacts): readonly string[] {
  const amounts = (of: CardFacts['rings']): string =>
    Object.entries(of)
      .map(([key, { value, max }]) => `${key} ${String(value)}/${String(max)}`)
      .join(', ');
  const waits = Object.entries(coalescing).filter(([key]) => /^(adaptive-.x|.x-(usecs|frames))$/.test(key));
  const off = Object.entries(offloads).flatMap(([key, on]) =>
    !on && /^(rx|tx|sg|.so|.ro|rxvlan|txvlan|rxhash)$/.test(key) ? [key] : [],
  );
  return [name, amounts(rings), amounts(channels), waits.map((pair) => pair.join(' ')).join(', '), off.join(' ')];
}

/** The facts as a person reads them. */
export function factsText(facts: MachineFacts, io: Pick<Io, 'color'>): string {
  const { nics, disks, missing, rivals } = facts.inventory;
  const text = lines(facts).map(([name, words]) => `${tint(io, 'bold', name.padEnd(9))}${words}`);
  const nicRows = nics.map(({ name, driver, vendor = '', speed, mtu, rxQueues, txQueues, node }) => [
    name,
    driver,
    vendor,
    speed === undefined ? 'no link' : `${String(speed)}M`,
    String(mtu),
    `${String(rxQueues)}/${String(txQueues)}`,
    node === undefined ? '' : String(node),
  ]);
  const diskRows = disks.map(({ name, bytes, rotational, scheduler = '', queueDepth, readAhead, model = '' }) => [
    name,
    rounded(bytes),
    rotational ? 'rotates' : 'solid',
    scheduler,
    queueDepth === undefined ? '' : String(queueDepth),
    readAhead === undefined ? '' : rounded(readAhead),
    model,
  ]);
  if (nics.length > 0)
    text.push('', table(['NIC', 'DRIVER', 'VENDOR', 'SPEED', 'MTU', 'QUEUES RX/TX', 'NODE'], nicRows));
  const { cards = [] } = facts;
  if (cards.length > 0)
    text.push('', table(['CARD', 'RINGS', 'CHANNELS', 'COALESCING', 'OFFLOADS OFF'], cards.map(cardRow)));
  if (disks.length > 0)
    text.push('', table(['DISK', 'SIZE', 'KIND', 'SCHEDULER', 'DEPTH', 'READ-AHEAD', 'MODEL'], diskRows));
  if (missing.length > 0) text.push('', tint(io, 'bold', 'Missing here:'));
  for (const { what, needs, fix } of missing)
    text.push(`  ${what}, for ${needs}${fix === undefined ? '' : ` (${fix})`}`);
  if (rivals.length > 0) text.push('', tint(io, 'bold', 'Also sets knobs here:'));
  for (const { name, sets, fix } of rivals) text.push(`  ${name}: ${sets} (${fix})`);
  return `${text.join('\n')}\n`;
}
