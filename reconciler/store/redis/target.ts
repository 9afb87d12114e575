import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { PlumbError } from '../../model/errors.ts';

export interface Node {
  readonly host: string;
  readonly port: number;
}

/** What a store's URL says. */
export interface Target {
  readonly form: 'single' | 'sentinel' | 'cluster';
  readonly nodes: readonly Node[];
  /** The master group that Sentinel watches. */
  readonly group: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: ConnectionOptions | undefined;
  /** How many replicas must have a write before it counts as done. */
  readonly acks: number;
  /** The URL without its password, for messages. */
  readonly shown: string;
}

const FORMS = { '': 'single', '+sentinel': 'sentinel', '+cluster': 'cluster' } as const;
const PORTS = { single: 6379, sentinel: 26379, cluster: 6379 } as const;
const SHAPE = /^(rediss?)(\+[a-z]+)?:\/\/(?:([^@]*)@)?([^/?#@]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const OPTIONS = ['ca', 'cert', 'key', 'acks'];

function usage(shown: string, why: string): PlumbError {
  return new PlumbError(
    'USAGE',
    `${shown} is no address of a store: ${why}. One is redis://HOST:PORT, rediss:// with TLS, redis+sentinel://HOST:PORT,HOST:PORT/GROUP or redis+cluster://HOST:PORT,HOST:PORT`,
    { url: shown },
  );
}

function nodeOf(text: string, port: number): Node | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const number = Number(match?.[3] ?? port);
  return host !== undefined && number > 0 && number < 65_536 ? { host, port: number } : undefined;
}

function readPem(path: string | undefined, shown: string): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch {
    throw usage(shown, `the file ${path} cannot be read`);
  }
}

function tlsOf(query: ReadonlyMap<string, string>, shown: string): ConnectionOptions {
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => readPem(query.get(name), shown));
  if ((cert === undefined) !== (key === undefined)) throw usage(shown, 'cert and key go together');
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

function queryOf(text: string, tls: boolean, shown: string): ReadonlyMap<string, string> {
  const query = new Map(new URLSearchParams(text));
  for (const name of query.keys())
    if (!OPTIONS.includes(name)) throw usage(shown, `it knows no option ${name}, only ${OPTIONS.join(', ')}`);
  if (!tls && ['ca', 'cert', 'key'].some((name) => query.has(name)))
    throw usage(shown, 'certificates go with rediss://');
  return query;
}

/** A number of one or two digits; undefined for any other text. */
function small(text: string): number | undefined {
  return /^\d{1,2}$/.test(text) ? Number(text) : undefined;
}

function decoded(text: string | undefined, shown: string): string | undefined {
  try {
    return text === undefined || text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw usage(shown, 'user or password is not percent-encoded');
  }
}

/** The path: a database of a single server, or the name of a master group. */
function pathOf(form: Target['form'], path: string, shown: string): { readonly db: number; readonly group: string } {
  if (form === 'sentinel') {
    if (path === '') throw usage(shown, 'the name of the master group is missing behind the last host');
    return { db: 0, group: decoded(path, shown) ?? '' };
  }
  const db = small(path === '' ? '0' : path);
  if (db === undefined) throw usage(shown, `${path} is no number of a database`);
  if (form === 'cluster' && db > 0) throw usage(shown, 'a Cluster has one database');
  return { db, group: '' };
}

/** Reads a store's URL and the certificates that it names. Throws USAGE, without the password in the message. */
export function parseTarget(url: string): Target {
  const shown = url.replace(/^([a-z+]*:\/\/[^:@/]*:)[^@]*@/, '$1***@').replace(/\?.*$/, '');
  const [, scheme, suffix = '', login, hosts = '', path = '', search = ''] = SHAPE.exec(url) ?? [];
  if (scheme === undefined) throw usage(shown, 'it does not begin with redis:// or rediss://, or is not a URL');
  if (!Object.hasOwn(FORMS, suffix)) throw usage(shown, `${scheme}${suffix}:// is unknown`);
  const form = FORMS[suffix as keyof typeof FORMS];
  const nodes = hosts.split(',').map((text) => nodeOf(text, PORTS[form]) ?? bad(text));
  function bad(text: string): never {
    throw usage(shown, `${JSON.stringify(text)} is no host and port`);
  }
  if (form === 'single' && nodes.length > 1)
    throw usage(shown, 'several hosts go with redis+sentinel or redis+cluster');
  const query = queryOf(search, scheme === 'rediss', shown);
  const acks = small(query.get('acks') ?? '0');
  if (acks === undefined) throw usage(shown, 'acks is a number of replicas');
  const colon = login?.indexOf(':') ?? -1;
  return {
    form,
    nodes,
    ...pathOf(form, path, shown),
    username: decoded(colon < 0 ? login : login?.slice(0, colon), shown),
    password: decoded(colon < 0 ? undefined : login?.slice(colon + 1), shown),
    tls: scheme === 'rediss' ? tlsOf(query, shown) : undefined,
    acks,
    shown,
  };
}
