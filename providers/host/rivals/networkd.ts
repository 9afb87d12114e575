import type { Tree } from '../inventory/tree.ts';
import { filesWithMore, folders, ofEach, readOnce, type BootSetting } from './lines.ts';
import { bytes, firstOf, networkFile, type NetworkFile } from './link.ts';

/** What the kernel calls the process of systemd-networkd: fifteen characters. */
export const NETWORKD = 'systemd-network';
const WHEN = 'when systemd-networkd brings the card up';

/** MTUBytes= of [Link]; with UseMTU= the server of DHCP says one. */
function settingsFor(card: string, { settings }: NetworkFile): readonly BootSetting[] {
  const path = `/sys/class/net/${card}/mtu`;
  return settings.flatMap(({ section, key, value, at }): readonly BootSetting[] => {
    const own = section === 'Link' && key === 'MTUBytes' && value !== '';
    const byServer = /^DHCP(v4)?$/.test(section) && key === 'UseMTU' && /^(1|yes|y|true|t|on)$/i.test(value);
    if (!own && !byServer) return [];
    const said = own ? bytes(value) : undefined;
    return [{ path, at, when: WHEN, ...(said === undefined ? {} : { value: said }) }];
  });
}

/**
 * Reads what systemd.network(5) sets of the cards of a machine: their MTU. Files `.netdev` are about what software makes, which is no card. A file without conditions is about none.
 */
export function networkdReader(root: string): (sys: Tree, devices: readonly string[]) => readonly BootSetting[] {
  const fileOf = readOnce(root, networkFile);
  const each = ofEach<NetworkFile>((files, device, sys) =>
    firstOf(files, device.slice('class/net/'.length), sys, settingsFor),
  );
  return (sys, devices) => {
    const files = filesWithMore(root, folders('systemd/network'), '.network').map((paths) => fileOf(...paths));
    return each(
      files.filter(({ conditions }) => conditions.size > 0),
      devices,
      sys,
    );
  };
}
