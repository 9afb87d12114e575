import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { giveUpHost } from '../../reconciler/loop/belonging.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';
import { benchVerb, hostBenchCommand } from '../host-bench.ts';
import { factsVerb, hostFactsCommand } from '../host-facts.ts';
import { storeOptions, storeUrl, type StoreFlags } from '../fleet-store.ts';
import type { Io } from '../io.ts';
import { command, outputOption, parse } from '../options.ts';
import { readingStore } from '../view.ts';

interface Options extends StoreFlags {
  readonly output: 'text' | 'json';
  readonly print?: boolean;
  readonly rotate?: boolean;
}

/** What the schema of a Host takes as a name. */
const NAME = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** `plumb host facts`: what a machine has; `plumb host bench`: what its cores do; `plumb host enroll NAME` and `plumb host revoke NAME`: give an agent its identity, and take it away. */
export async function hostCommand(argv: readonly string[], io: Io): Promise<number> {
  const [verb, ...rest] = argv;
  if (verb === 'facts') return hostFactsCommand(rest, io);
  if (verb === 'bench') return hostBenchCommand(rest, io);
  if (verb === 'enroll') return enroll(rest, io);
  if (verb === 'revoke') return revoke(rest, io);
  if (verb === undefined)
    throw new PlumbError(
      'USAGE',
      'plumb host facts, plumb host bench, plumb host enroll NAME or plumb host revoke NAME (plumb host --help explains)',
    );
  const description = 'Show what a machine has and does; give hosts of a fleet their identity, and take it away.';
  const cmd = command('host', description, 'plumb host facts\nplumb host enroll h1', io);
  cmd
    .addCommand(factsVerb(io).name('facts'))
    .addCommand(benchVerb(io).name('bench'))
    .addCommand(enrolling(io).name('enroll'))
    .addCommand(revoking(io).name('revoke'));
  parse(cmd, argv);
  return 0;
}

function enrolling(io: Io): Command {
  const cmd = command(
    'host enroll',
    'Make the Redis user of a host, with least rights and a new password, and print what its agent is started with.',
    'plumb host enroll h1 --store redis://admin:SECRET@10.0.0.5\nplumb host enroll h1 --store redis://10.0.0.5 --print',
    io,
  )
    .argument('<host>', 'name of the Host')
    .addOption(outputOption('text', 'json'))
    .option('--rotate', 'give a host that is enrolled already a new password; the old one ends at once')
    .option('--print', 'only print the line for an ACL file: Redis is not asked');
  storeOptions(cmd);
  return cmd;
}

function revoking(io: Io): Command {
  const cmd = command(
    'host revoke',
    'Take the Redis user of a host away: its agent is cut off at once, and a host that has left Git is not waited for any more. What runs there goes on.',
    'plumb host revoke h1 --store redis://admin:SECRET@10.0.0.5',
    io,
  )
    .argument('<host>', 'name of the Host')
    .addOption(outputOption('text', 'json'));
  storeOptions(cmd);
  return cmd;
}

/** The host that was named, and the store of its fleet. */
interface Asked {
  readonly host: string;
  readonly url: string;
  readonly options: Options;
}

function askedFor(cmd: Command, argv: readonly string[], io: Io): Asked | undefined {
  const parsed = parse(cmd, argv);
  if (!parsed) return undefined;
  const options = parsed.opts<Options>();
  const [host = ''] = parsed.args;
  if (!NAME.test(host))
    throw new PlumbError(
      'USAGE',
      `${JSON.stringify(host)} is no name of a Host: small letters, digits and dashes, 40 at most, a letter first, no dash last`,
    );
  const url = storeUrl(options, io);
  if (url === undefined)
    throw new PlumbError('USAGE', 'which store? give --store redis://admin:SECRET@HOST:PORT, or set PLUMB_STORE');
  return { host, url, options };
}

async function revoke(argv: readonly string[], io: Io): Promise<number> {
  const asked = askedFor(revoking(io), argv, io);
  if (!asked) return 0;
  const { host, url, options } = asked;
  const { agentUser, revokeAgent } = await import('../../reconciler/store/redis/enroll.ts');
  const user = agentUser(host);
  const { changed: revoked, unsaved } = await revokeAgent(url, host);
  const store = await readingStore(options, io)();
  const gone = await giveUpHost(store, host, Date.now()).finally(() => store.close());
  if (!revoked && !gone)
    throw new PlumbError('USAGE', `${user} is not enrolled, so there is nothing to revoke`, { host });
  if (unsaved !== undefined)
    io.err(`${user} is back when Redis restarts: it did not save its users (${unsaved}). Take it out of its aclfile\n`);
  const saved = unsaved === undefined;
  const signs = revoked ? `${user} may not sign in any more` : `${user} was not enrolled`;
  const waits = gone ? `${host} counts as having let go of all that it was told` : `${host} is Lost in 8 s`;
  if (options.output === 'json')
    io.out(`${JSON.stringify({ version: 1, host, user, revoked, gone, saved }, null, 2)}\n`);
  else io.out(`${signs}: ${waits}, and what runs there goes on\n`);
  return saved ? 0 : 2;
}

async function enroll(argv: readonly string[], io: Io): Promise<number> {
  const asked = askedFor(enrolling(io), argv, io);
  if (!asked) return 0;
  const { host, url, options } = asked;
  const fleet = options.fleet ?? io.env['PLUMB_FLEET'] ?? 'default';
  const { agentRules, agentUrl, agentUser, enrollAgent } = await import('../../reconciler/store/redis/enroll.ts');
  const password = randomBytes(24).toString('hex');
  const user = agentUser(host);
  const acl = `user ${user} ${agentRules(url, host, fleet, password).join(' ')}`;
  const store = agentUrl(url, host, password);
  const written = options.print !== true;
  const rotate = options.rotate === true;
  const { unsaved } = written ? await enrollAgent(url, host, fleet, { password, rotate }) : {};
  if (unsaved !== undefined)
    io.err(
      `${user} may sign in until Redis restarts: it did not save its users (${unsaved}). Give it an aclfile, then enrol ${host} with --rotate; or add what --print prints\n`,
    );
  const code = unsaved === undefined ? 0 : 2;
  if (options.output === 'json') {
    io.out(
      `${JSON.stringify({ version: 1, host, fleet, user, store, acl, written, ...(written ? { saved: code === 0 } : {}) }, null, 2)}\n`,
    );
    return code;
  }
  const made = !written ? `# for the aclfile of Redis:\n${acl}\n\n` : '';
  io.out(
    `${made}# /etc/plumbline/agent.env on ${host}, readable by root only:\nPLUMB_STORE=${store}\nPLUMB_FLEET=${fleet}\n`,
  );
  io.err(
    `${written && code === 0 ? `${user} may sign in now. ` : ''}Start it there with: plumb agent --host ${host}\n`,
  );
  return code;
}
