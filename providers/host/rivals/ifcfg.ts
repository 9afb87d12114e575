import fs from 'node:fs';
import { basename, join } from 'node:path';
import type { Tree } from '../inventory/tree.ts';
import { commandsIn } from './commands.ts';
import { confFiles, ofEach, readOnce, type BootSetting, type Line } from './lines.ts';

const HOME = 'etc/sysconfig/network-scripts';

/** What copies of a file end in, which nobody reads. */
const COPIES = /(~|\.(bak|orig|old|rpmnew|rpmorig|rpmsave))$/;

type Assigned = ReadonlyMap<string, { readonly value: string; readonly at: string }>;

/** Its lines are assignments of a shell: `MTU="9000"`. */
function parse(lines: readonly Line[]): Assigned {
  return new Map(
    lines.flatMap(({ text, at }) => {
      const [, name = '', value = ''] = /^(?:export\s+)?([A-Z_0-9]+)=(.*)$/.exec(text) ?? [];
      return name === '' ? [] : [[name, { value: value.trim().replace(/^(["'])(.*)\1$/, '$2'), at }] as const];
    }),
  );
}

/** Whether a file is about a card: by its name, or by its MAC. */
function fits(sys: Tree, card: string, assigned: Assigned): boolean {
  const [device, mac] = ['DEVICE', 'HWADDR'].map((name) => assigned.get(name)?.value ?? '');
  if (device !== '') return device === card;
  return mac !== '' && mac?.toLowerCase() === sys.text(`class/net/${card}/address`)?.toLowerCase();
}

/** MTU=, and ETHTOOL_OPTS= as `-G ${DEVICE} rx 4096; -K ${DEVICE} tso off`. */
function settingsFor(card: string, assigned: Assigned, when: string): readonly BootSetting[] {
  const mtu = assigned.get('MTU');
  const options = assigned.get('ETHTOOL_OPTS');
  const cardOf = (word: string): string | undefined =>
    word === card || /^\$(DEVICE|\{DEVICE\})$/.test(word) ? card : undefined;
  const commands = (options?.value ?? '').split(';').map((part) => `ethtool ${part.trim()}`);
  return [
    ...(mtu && mtu.value !== '' ? [{ path: `/sys/class/net/${card}/mtu`, ...mtu, when }] : []),
    ...commands.flatMap((command) =>
      commandsIn(command, cardOf).map((written) => ({ ...written, at: options?.at ?? '', when })),
    ),
  ];
}

/**
 * Reads what the files ifcfg-* of Red Hat set of the cards of a machine (sysconfig.txt of initscripts, nm-settings-ifcfg-rh(5)); nothing where neither NetworkManager
 * runs nor the scripts are installed that read them.
 */
export function ifcfgReader(
  root: string,
): (sys: Tree, devices: readonly string[], runs: boolean) => readonly BootSetting[] {
  const assignedOf = readOnce(root, parse);
  const readerOf = (when: string) =>
    ofEach<Assigned>((files, device, sys) => {
      const card = device.slice('class/net/'.length);
      return files.filter((file) => fits(sys, card, file)).flatMap((file) => settingsFor(card, file, when));
    });
  const byNetworkManager = readerOf('when NetworkManager brings the card up');
  const byScripts = readerOf('when ifup brings the card up');
  return (sys, devices, runs) => {
    if (!runs && !fs.existsSync(join(root, HOME, 'ifup-eth'))) return [];
    const names = confFiles(root, [HOME], '').filter(
      (path) => basename(path).startsWith('ifcfg-') && !COPIES.test(path),
    );
    const files = names.map((path) => assignedOf(path));
    return (runs ? byNetworkManager : byScripts)(files, devices, sys);
  };
}
