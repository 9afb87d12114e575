import type { Command } from 'commander';
import type { StateOptions } from './paths.ts';
import type { RepositoryFlags } from './repository.ts';
import { under } from './options.ts';
import type { RuntimeFlags } from './runtime.ts';

/** Options of `up`, `apply` and `plan`. */
export interface UpFlags extends StateOptions, RepositoryFlags, RuntimeFlags, LogFlags {
  readonly host?: string;
  readonly simulated?: boolean;
  readonly allowDeletions?: boolean;
}

export interface LogFlags {
  readonly logLevel?: string;
}

/** Adds the options of what changes hosts, or shows what would change. */
export function upOptions(cmd: Command): void {
  allowOptions(cmd);
  lookOptions(cmd);
}

/** Adds the options that allow what a slip could do. */
export function allowOptions(cmd: Command): void {
  cmd
    .option('--allow-deletions', "let more replicas go than the Fleet's budget allows")
    .option('--allow-empty', 'accept a revision without any manifest');
}

/** Adds the options of what looks at a host by a revision. */
export function lookOptions(cmd: Command): void {
  repositoryOptions(cmd);
  under(THIS_MACHINE, cmd, () =>
    cmd
      .option(
        '--host <name>',
        'which Host this machine is (default: the one whose machine-id, hostname or address matches)',
      )
      .option(
        '--simulated',
        'run nothing: containers, ports and cgroups are files in the state directory; needs no root',
      ),
  );
  daemonOptions(cmd);
}

/** Where options of the machine itself stand in a help. */
const THIS_MACHINE = 'This machine:';

/** Adds the options that say where the daemons are, and how much is told of them. */
export function daemonOptions(cmd: Command): void {
  under(THIS_MACHINE, cmd, () => {
    cmd
      .option('--docker-socket <path>', 'socket of dockerd', '/var/run/docker.sock')
      .option('--ovs-dir <dir>', 'directory of the sockets of Open vSwitch', '/run/openvswitch');
    logOption(cmd);
  });
}

/** Adds `--log-level`. */
export function logOption(cmd: Command): void {
  cmd.option('--log-level <level>', 'debug, info, warn or error: what is logged to standard error', 'warn');
}

/** Adds the options that say which repository. */
export function repositoryOptions(cmd: Command): void {
  under('Repository:', cmd, () =>
    cmd
      .option(
        '-r, --repo <url>',
        'a path, or a file, http(s), ssh or git address (default: this directory, or else the one that a running plumb follows)',
      )
      .option('--ref <branch>', "branch (default: the repository's HEAD)")
      .option('--tag <tag>', 'tag instead of a branch')
      .option('--commit <id>', 'commit instead of a branch')
      .option('--path <dir>', 'folder of the manifests inside the repository'),
  );
}
