import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DAEMON_ACTS, DAEMONS } from '../../lab/daemons.ts';
import type { DaemonAct, DaemonName } from '../../lab/daemons.ts';
import { labDown, labUp, openLab } from '../../lab/lab.ts';
import type { LabStatus } from '../../lab/lab.ts';
import { LAB_BASE } from '../../lab/topology.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import type { Io } from '../io.ts';

interface Shared {
  readonly name?: string;
  readonly dir?: string;
  readonly output: 'text' | 'json';
}

interface UpOptions extends Shared {
  readonly hosts: number;
  readonly racks?: number;
}

function whole(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('a whole number is wanted.');
  return Number(text);
}

/** A status as a table, one line a host. */
function statusText(status: LabStatus): string {
  const rows = status.hosts.map((host) => [
    host.name,
    host.rack,
    host.state,
    host.cut || status.racks.some((rack) => rack.name === host.rack && rack.cut) ? 'cut' : 'linked',
    DAEMONS.filter((daemon) => host.daemons[daemon] !== undefined).join(' ') || '-',
    host.docker,
  ]);
  const all = [['HOST', 'RACK', 'STATE', 'CABLE', 'DAEMONS', 'DOCKER'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `lab ${status.name} in ${status.dir}\n${lines.join('\n')}\n`;
}

function healthy(status: LabStatus): boolean {
  return status.hosts.every(
    (host) => host.state === 'running' && DAEMONS.every((daemon) => host.daemons[daemon] !== undefined),
  );
}

/** Prints `done` as a sentence or as JSON; `data` is what JSON says beside the version. */
function say(io: Io, shared: Shared, text: string, data: Readonly<Record<string, unknown>>): void {
  io.out(shared.output === 'json' ? `${JSON.stringify({ version: 1, ...data })}\n` : `${text}\n`);
}

function lab(name: string, summary: string, example: string): Command {
  return new Command(name)
    .description(summary)
    .option('--dir <dir>', `directory of the lab (default: ${LAB_BASE}/NAME)`)
    .option('--name <name>', 'name of the lab; its cgroup is plumb-NAME (default: lab, or made from --dir)')
    .addOption(new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text'))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nExample:\n  ${example}\n`);
}

function upVerb(io: Io): Command {
  return lab(
    'up',
    'Start a lab of hosts, each with its own dockerd and Open vSwitch',
    'sudo plumb lab up --hosts 3 --racks 2',
  )
    .option('--hosts <n>', 'number of hosts, h1…hN', whole, 3)
    .option('--racks <m>', 'number of racks, r1…rM, filled one after the other (default: 2, or 1 for one host)', whole)
    .action(async (options: UpOptions) => {
      const up = await labUp({
        ...options,
        signal: io.signal,
        progress: (line) => {
          io.err(`${line}\n`);
        },
      });
      const status = up.status();
      io.out(options.output === 'json' ? `${JSON.stringify(status)}\n` : statusText(status));
    });
}

function execVerb(io: Io, exit: (code: number) => void): Command {
  return lab('exec', 'Run a command inside a host; exits with its status', 'plumb lab exec h1 -- docker ps')
    .argument('<host>')
    .argument('<command...>')
    .passThroughOptions()
    .action(async (host: string, command: readonly string[], options: Shared) => {
      const where = openLab(options);
      // a terminal sends its Ctrl-C to the command itself
      const signal = io.isTTY ? undefined : io.signal;
      const ended = await where.exec(host, command, {
        stdio: options.output === 'json' ? 'pipe' : 'inherit',
        cwd: io.cwd,
        signal,
      });
      if (options.output === 'json') say(io, options, '', { host, ...ended });
      exit(ended.code);
    });
}

function hostVerbs(io: Io): readonly Command[] {
  return [
    lab('kill', 'Cut the power of a host: every process of it ends at once', 'plumb lab kill h2')
      .argument('<host>')
      .action(async (host: string, options: Shared) => {
        await openLab(options).kill(host);
        say(io, options, `${host} is dead`, { host, state: 'dead' });
      }),
    lab('boot', 'Boot a dead host with the disk it had', 'plumb lab boot h2')
      .argument('<host>')
      .action(async (host: string, options: Shared) => {
        await openLab(options).boot(host, io.signal);
        say(io, options, `${host} is up`, { host, state: 'running' });
      }),
    lab('daemon', 'Stop, start, restart or kill -9 a daemon of a host', 'plumb lab daemon h1 ovs-vswitchd restart')
      .argument('<host>')
      .argument('<daemon>', DAEMONS.join(', '))
      .argument('<act>', DAEMON_ACTS.join(', '))
      .action(async (host: string, daemon: string, act: string, options: Shared) => {
        await openLab(options).daemon(
          host,
          oneOf(DAEMONS, 'daemon', daemon),
          oneOf(DAEMON_ACTS, 'act', act),
          io.signal,
        );
        say(io, options, `${daemon} of ${host}: ${act} done`, { host, daemon, act });
      }),
  ];
}

function oneOf<T extends DaemonName | DaemonAct>(known: readonly T[], what: string, given: string): T {
  const found = known.find((name) => name === given);
  if (found === undefined) throw new PlumbError('USAGE', `no ${what} "${given}": it is one of ${known.join(', ')}`);
  return found;
}

function cableVerbs(io: Io): readonly Command[] {
  return [
    lab('cut', "Cut the cable of a host, or of a rack's switch to the core", 'plumb lab cut r1')
      .argument('<host|rack>')
      .action(async (target: string, options: Shared) => {
        await openLab(options).cut(target);
        say(io, options, `${target} is cut off`, { target, cut: true });
      }),
    lab('heal', 'Put the cable of a host or rack back, or all cables', 'plumb lab heal')
      .argument('[host|rack]')
      .action(async (target: string | undefined, options: Shared) => {
        await openLab(options).heal(target);
        say(io, options, `${target ?? 'everything'} is linked`, { target: target ?? null, cut: false });
      }),
  ];
}

function labVerbs(io: Io, exit: (code: number) => void): readonly Command[] {
  return [
    upVerb(io),
    execVerb(io, exit),
    ...hostVerbs(io),
    ...cableVerbs(io),
    lab('status', 'Show the hosts; exits with 2 when one is dead or lacks a daemon', 'plumb lab status -o json').action(
      (options: Shared) => {
        const status = openLab(options).status();
        io.out(options.output === 'json' ? `${JSON.stringify(status)}\n` : statusText(status));
        exit(healthy(status) ? 0 : 2);
      },
    ),
    lab('down', 'Take a lab down and leave nothing behind, whatever state it is in', 'sudo plumb lab down').action(
      async (options: Shared) => {
        const { found, dir } = await labDown(options);
        say(io, options, found ? `the lab in ${dir} is down` : `there is no lab in ${dir}`, { dir, found });
      },
    ),
  ];
}

/** `plumb lab`: returns the exit status (of the command, for `exec`; 2 for a `status` that is not well). Throws PlumbError. */
export async function labCommand(argv: readonly string[], io: Io): Promise<number> {
  let status = 0;
  const exit = (code: number): void => {
    status = code;
  };
  const program = new Command('plumb lab')
    .description('Real hosts on one machine: namespaces, each with its own dockerd and Open vSwitch. Needs root.')
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nExample:\n  sudo plumb lab up --hosts 3 --racks 2\n  plumb lab exec h1 -- docker ps\n  sudo plumb lab down\n',
    );
  for (const verb of labVerbs(io, exit)) program.addCommand(verb);
  for (const command of [program, ...program.commands])
    command
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: () => undefined, getOutHasColors: () => io.color });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0; // help was asked for
    const missing = error.code === 'commander.help';
    throw new PlumbError(
      'USAGE',
      `${missing ? 'what should the lab do?' : error.message.replace(/^error: /, '')} (plumb lab --help explains)`,
    );
  }
  return status;
}
