import { randomBytes } from 'node:crypto';
import { PlumbError } from '../reconciler/model/errors.ts';
import { storeOptions, storeUrl, type StoreFlags } from './fleet-store.ts';
import type { Io } from './io.ts';
import { command, outputOption, parse } from './options.ts';

interface Options extends StoreFlags {
  readonly output: 'text' | 'json';
  readonly print?: boolean;
  readonly rotate?: boolean;
}

/** What the schema of a Host takes as a name. */
const NAME = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** `plumb host enroll NAME`: gives the agent of a host its identity. */
export async function hostCommand(argv: readonly string[], io: Io): Promise<number> {
  const cmd = command('host', 'Give hosts of a fleet their identity.', 'plumb host enroll h1', io);
  const enroll = command(
    'host enroll',
    'Make the Redis user of a host, with least rights and a new password, and print what its agent is started with.',
    'plumb host enroll h1 --store redis://admin:SECRET@10.0.0.5\nplumb host enroll h1 --store redis://10.0.0.5 --print',
    io,
  )
    .argument('<host>', 'name of the Host')
    .addOption(outputOption('text', 'json'))
    .option('--rotate', 'give a host that is enrolled already a new password; the old one ends at once')
    .option('--print', 'only print the line for an ACL file: Redis is not asked');
  storeOptions(enroll);
  if (argv[0] !== 'enroll') {
    if (argv.length === 0) throw new PlumbError('USAGE', 'plumb host enroll NAME (plumb host --help explains)');
    cmd.addCommand(enroll.name('enroll'));
    parse(cmd, argv);
    return 0;
  }
  const parsed = parse(enroll, argv.slice(1));
  if (!parsed) return 0;
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
  const fleet = options.fleet ?? io.env['PLUMB_FLEET'] ?? 'default';
  const { agentRules, agentUrl, agentUser, enrollAgent } = await import('../reconciler/store/redis/enroll.ts');
  const password = randomBytes(24).toString('hex');
  const user = agentUser(host);
  const acl = `user ${user} ${agentRules(host, fleet, password).join(' ')}`;
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
