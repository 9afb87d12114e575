import { existsSync } from 'node:fs';
import { quoted, type Boot } from './uml.ts';

/** Where systemd is, or undefined. */
const SYSTEMD: string | undefined = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'].find((path) =>
  existsSync(path),
);

/** Why no guest can have systemd as its first process; false where it can. */
export const NEEDS_SYSTEMD: false | string = SYSTEMD === undefined ? 'needs systemd: apt-get install systemd' : false;

/** A directory of the guest that is a tmpfs, on which Docker can mount overlays. */
export const SCRATCH = '/scratch';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What no guest takes over from this machine: its own units, state of its daemons, and what makes systemd believe in a container. */
const OTHERS = [
  ...['etc/systemd/system', 'etc/docker', 'etc/openvswitch', 'etc/default/docker', '.dockerenv', 'run'],
  ...['var/lib/docker', 'var/lib/containerd', 'var/lib/openvswitch', 'var/lib/plumbline', 'var/log/journal'],
  ...['usr/lib/modules', 'etc/cron.d', 'etc/modules-load.d'],
  // none of them makes a unit that is wanted here, and each daemon-reload would run them all
  'usr/lib/systemd/system-generators',
].join(' ');

/** The target that is booted: these services as their packages bring them, and the command. */
const units = (services: string): Readonly<Record<string, string>> => ({
  'plumb-test.target': `[Unit]
Requires=basic.target
After=basic.target
Wants=dbus.socket ${services} plumb-test.service
`,
  'plumb-test.service': `[Unit]
Wants=${services}
After=${services}
[Service]
Type=oneshot
ExecStart=/bin/sh /etc/plumb-test.sh
ExecStopPost=/bin/sh -c '[ $EXIT_STATUS = 0 ] || journalctl -b -q --no-pager -n 60; echo UML-STATUS $EXIT_STATUS; exec systemctl poweroff -ff'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
`,
});

function fileAt(path: string, text: string): string {
  return `cat > ${path} <<'END-OF-FILE'\n${text}END-OF-FILE`;
}

/** Makes the machine's files the root, with a layer in memory over them, and hands over to systemd. */
function script(services: string, command: readonly string[], cwd: string): string {
  return `#!/bin/sh
export PATH=${PATH}
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/up /mnt/work /mnt/root /mnt/lib
ln -s /usr/lib/uml/modules /mnt/lib/modules
modprobe -d /mnt overlay && mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work overlay /mnt/root && cd /mnt/root || exec busybox poweroff -f
rm -rf ${OTHERS}
mkdir -p proc sys dev run mnt var/lib/docker var/lib/openvswitch etc/docker etc/openvswitch etc/systemd/system etc/tmpfiles.d .${SCRATCH}
ln -s ../../usr/lib/uml/modules usr/lib/modules
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs dev dev
mount -t tmpfs -o mode=755 tmpfs run
for each in var/lib/docker .${SCRATCH}; do mount -t tmpfs tmpfs $each; done
: > etc/fstab
# the checkout may be in /tmp, which stays as it is
: > etc/tmpfiles.d/tmp.conf
ln -s /dev/null etc/systemd/system/tmp.mount
echo 5d1f5a2c8e5b4c6f9a0b1c2d3e4f5a6b > etc/machine-id
echo h1 > etc/hostname
echo '{ "bridge": "none", "iptables": false }' > etc/docker/daemon.json
${Object.entries(units(services))
  .map(([name, text]) => fileAt(`etc/systemd/system/${name}`, text))
  .join('\n')}
${fileAt('etc/plumb-test.sh', testScript(command, cwd))}
pivot_root . mnt
umount -l /mnt/proc
exec chroot . ${SYSTEMD ?? 'none'} --unit=plumb-test.target --log-target=journal --show-status=0 </dev/console >/dev/console 2>&1
`;
}

function testScript(command: readonly string[], cwd: string): string {
  return `export PATH=${PATH} HOME=/root TMPDIR=${SCRATCH}
cd ${quoted(cwd)}
echo; echo UML-START
exec ${command.map(quoted).join(' ')} 2>&1
`;
}

/**
 * Boots systemd as the first process, with services of packages as they are, such as those of Docker and Open vSwitch; then runs the command.
 * The machine's files are the root, and what is written goes into memory.
 */
export function systemdWith(...services: readonly string[]): Boot {
  return { script: (command, cwd) => script(services.join(' '), command, cwd), memory: '1G' };
}
