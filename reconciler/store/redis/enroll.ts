import { createHash } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import { PlumbError } from '../../model/errors.ts';
import { connect, type Client } from './connect.ts';
import { storeError } from './failures.ts';
import { keysOf, nameOf } from './keys.ts';
import { parseTarget, type Target } from './target.ts';

/** What an agent's connection needs of Redis; a test holds that it uses all of it. */
const COMMANDS =
  '+eval +evalsha +exists +get +hdel +hget +hmget +hset +info +publish +set +subscribe +time +wait +xadd +xinfo|stream +xlen +xrange +xrevrange +xtrim';

/** What a connection to a Cluster needs besides, to learn which server has what. */
const CLUSTER_COMMANDS = '+cluster|info +cluster|slots';

/** The user that an agent of a host signs in as. */
export function agentUser(host: string): string {
  return `agent-${nameOf('host', host)}`;
}

/**
 * The least rights of a host's agent at such a Redis, as rules of an ACL: it reads its own Assignment and nothing of other hosts, and writes its
 * own Report, lease and journal, a hint that there is mail, and its name. It may hold tokens for repairs: all share these.
 */
export function agentRules(url: string, host: string, fleet: string, password: string): readonly string[] {
  const keys = keysOf(nameOf('fleet', fleet));
  const journal = keys.entries(host).replace(/entries$/, '*');
  return [
    'on',
    `#${createHash('sha256').update(password).digest('hex')}`,
    'resetchannels',
    ...[keys.onMail, keys.onAssignment(host), keys.onEntry(host)].map((channel) => `&${channel}`),
    ...[keys.incarnation, keys.assignment(host)].map((key) => `%R~${key}`),
    `%W~${keys.report(host)}`,
    `~${keys.lease(`host/${host}`)}`,
    `~${keys.lease('repair/*')}`,
    `~${journal}`,
    '-@all',
    ...COMMANDS.split(' '),
    ...(parseTarget(url).form === 'cluster' ? CLUSTER_COMMANDS.split(' ') : []),
    `(%W~${keys.reporting} +sadd)`,
    `(%W~${keys.mail} +xadd)`,
  ];
}

/** The address that an agent is given: that of the administrator, with the agent's user and password. */
export function agentUrl(url: string, host: string, password: string): string {
  parseTarget(url);
  return url.replace(/^(rediss?(?:\+[a-z]+)?:\/\/)(?:[^@]*@)?/, `$1${agentUser(host)}:${password}@`);
}

/** What became of a change of Redis's users. */
interface Saved {
  readonly changed: boolean;
  /** Why Redis has its users as they were when it restarts; absent when it keeps them in its ACL file. */
  readonly unsaved?: string;
}

type Node = Pick<Redis, 'call'>;

/** A client that is connected; `opened` has it before it is. */
async function reach(target: Target, opened: Client[]): Promise<Client> {
  const client = connect(target);
  opened.push(client);
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
  });
  return client;
}

/** All servers of a Redis: each has users of its own, also a replica, which may be the master tomorrow. */
async function nodesOf(target: Target, opened: Client[]): Promise<readonly Node[]> {
  const client = await reach(target, opened);
  if (client instanceof Cluster) return client.nodes('all');
  const [role, , replicas] = (await client.call('ROLE')) as readonly [string, unknown, unknown];
  const found = role === 'master' ? (replicas as readonly (readonly [host: string, port: string])[]) : [];
  const one = ([host, port]: readonly [string, string]): Promise<Client> =>
    reach({ ...target, form: 'single', nodes: [{ host, port: Number(port) }] }, opened);
  return [client, ...(await Promise.all(found.map(one)))];
}

/** Lets an administrator change the users of all servers of a Redis; the work gives whether it did. Throws STORE_REFUSED, STORE_UNAVAILABLE. */
async function onNodes(url: string, work: (nodes: readonly Node[]) => Promise<boolean>): Promise<Saved> {
  const target = parseTarget(url);
  const opened: Client[] = [];
  try {
    const nodes = await nodesOf(target, opened);
    const changed = await work(nodes);
    try {
      if (changed) for (const node of nodes) await node.call('ACL', 'SAVE');
      return { changed };
    } catch (error) {
      return { changed, unsaved: error instanceof Error ? error.message : String(error) };
    }
  } catch (error) {
    throw storeError(error, target.shown);
  } finally {
    for (const client of opened) client.disconnect();
  }
}

async function isKnown(nodes: readonly Node[], user: string): Promise<boolean> {
  const known = await Promise.all(nodes.map((node) => node.call('ACL', 'GETUSER', user)));
  return known.some((found) => found !== null);
}

/**
 * Makes the user; with `rotate` gives one that is there a new password, with which its agent has to be started again. Every server
 * of a Cluster is told, and every replica that follows its master now. Throws USAGE when the user is there already, STORE_REFUSED, STORE_UNAVAILABLE.
 */
export function enrollAgent(
  url: string,
  host: string,
  fleet: string,
  { password, rotate }: { readonly password: string; readonly rotate: boolean },
): Promise<Saved> {
  const user = agentUser(host);
  return onNodes(url, async (nodes) => {
    if (!rotate && (await isKnown(nodes, user)))
      throw new PlumbError(
        'USAGE',
        `${user} is enrolled already, and a new password locks its agent out until it is started with it: say --rotate if that is meant`,
        { host },
      );
    const rules = agentRules(url, host, fleet, password);
    for (const node of nodes) await node.call('ACL', 'SETUSER', user, 'reset', ...rules);
    return true;
  });
}

/** Takes the user away, where there is one, on every server: Redis ends its connections at once. Throws STORE_REFUSED, STORE_UNAVAILABLE. */
export function revokeAgent(url: string, host: string): Promise<Saved> {
  const user = agentUser(host);
  return onNodes(url, async (nodes) => {
    const known = await isKnown(nodes, user);
    for (const node of nodes) await node.call('ACL', 'DELUSER', user);
    return known;
  });
}
