/**
 * What leaves a setting to Git that netplan(5) writes anew at each boot, by the file that says it: `10-netplan-ID.network`, `10-netplan-ID.link`, `netplan-ID.nmconnection`; undefined of
 * any other.
 */
export function netplanFix(at: string): string | undefined {
  const [, id] = /\/(?:10-)?netplan-(.+)\.(?:network|link|nmconnection):/.exec(at) ?? [];
  return id === undefined ? undefined : `take it out of ${id} in /etc/netplan, and netplan apply`;
}
