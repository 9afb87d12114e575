import type { ErrorCode } from '../reconciler/model/errors.ts';

/** What to do about an error, as docs/errors.md says it. */
export const NEXT_STEPS: Readonly<Record<ErrorCode, string>> = {
  CONFLICT:
    'None: the next round plans from what is there. If it comes back, `plumb events` shows who else changes the thing.',
  TIMEOUT: 'Look at the load and the log of the daemon that the message names.',
  CANCELLED: 'Run the command again. What was begun is in the journal and will be finished or undone.',
  USAGE: '`plumb VERB --help` shows the right form, with an example.',
  INTERNAL: 'Report it with the output of the same command and `-o json`.',
  SOURCE_UNREACHABLE:
    'Try `git ls-remote ADDRESS` as the same user. The last good revision is kept; `plumb status` says how old it is.',
  SOURCE_REFUSED: 'Use an address over file, http, https, ssh or git, and a plain branch, tag or commit.',
  REVISION_NOT_FOUND:
    'Look at `git ls-remote ADDRESS`. A deleted branch keeps its last good revision until another is named.',
  TREE_EMPTY:
    'Check the path. If all of it should really go, `plumb controller`, `up`, `apply` and `plan` take `--allow-empty`.',
  HOST_NOT_NAMED:
    'Commit the document that the message shows, with the labels of its Zone; or say which Host it is with `--host`.',
  STORE_UNAVAILABLE:
    'Check that the directory in the message exists, belongs to this user, and is on a local file system; or that Redis of the message runs, is 7 or later, takes writes (`redis-cli INFO`), and speaks TLS if the address is `rediss://`, and only then.',
  STORE_REFUSED:
    "The message holds Redis's words. `ACL GETUSER` shows the rights, `examples/redis/users.acl` the least ones. A CA that the system does not know is named in the address: `rediss://HOST?ca=FILE`.",
  STORE_EMPTIED:
    'Open the store again (restart the process). Git says what is wanted, hosts report what is true. If nobody meant it, look for `appendonly no`, `FLUSHALL`, or a `maxmemory-policy` other than `noeviction`.',
  PROTOCOL_MISMATCH:
    'Upgrade (or downgrade) one version at a time, in any order of hosts and controllers, and finish one step before the next.',
  STORE_LOCKED: 'Use the running one (`plumb status`), stop it, or give this one another state directory.',
  DISK_FULL: 'Make room. Work goes on by itself.',
  JOURNAL_CORRUPT:
    "Compare with a backup or another writer's copy. Move the segment away to start a new chain; keep it as evidence.",
  NOT_RUNNING: 'Start `plumb up`, or name its state directory.',
  DOCKER_UNAVAILABLE: '`docker version` as the same user; then the log of dockerd.',
  IMAGE_UNAVAILABLE: "`docker pull IMAGE` on that host gives the registry's own words.",
  CONTAINER_FAILED:
    "The message holds Docker's words, which mostly name the field: a missing command, a bad user, an unknown ulimit.",
  NOT_OURS: 'Rename or remove it by hand.',
  OVS_UNAVAILABLE: '`ovs-vsctl show`; then the log of ovs-vswitchd.',
  PORT_FAILED:
    'The message holds the words of `ip` or of OVS. Look for a device of the same name, or a bridge that is down.',
  ADDRESS_IN_USE: 'Find the MAC of the message on the switch and free the address, or exclude it in the Network.',
  UPLINK_REFUSED: "Move the address to the bridge's own port, or name another NIC as uplink.",
  KNOB_UNSUPPORTED: 'Load the module, or take the knob out of the Tuning for these hosts (`hosts.matchLabels`).',
  KNOB_REFUSED: 'Correct the value, or allow it where the host itself runs in a container.',
  CORES_UNAVAILABLE:
    '`/sys/devices/system/cpu/online` on that host shows which are there: bring cores back, or raise `reservedCores` of the Host so that fewer are given out.',
  ORIGINALS_CORRUPT:
    'Repair the JSON, or move the file away: the values that knobs have then count as their originals.',
  LAB_FAILED: 'The message names the host and the log to read. `plumb lab down` clears what is left, then try again.',
  MISSING_PROGRAM:
    'As root on Debian or Ubuntu `node bin/setup.mjs` installs it; elsewhere the message names the program.',
};
