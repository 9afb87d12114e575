import { PlumbError } from '../../model/errors.ts';

/** The names of a fleet's keys and channels. One hash tag holds them all, so that a script of a Cluster may touch any of them. */
export interface Keys {
  readonly incarnation: string;
  readonly cursor: string;
  readonly hosts: string;
  readonly placements: string;
  readonly addresses: string;
  readonly loads: string;
  readonly counts: string;
  readonly replies: string;
  readonly replied: string;
  readonly log: string;
  /** Hosts that have sent a Report. */
  readonly reporting: string;
  readonly mail: string;
  readonly notice: string;
  /** Controllers that have written a journal. */
  readonly writers: string;
  lease(name: string): string;
  assignment(host: string): string;
  report(host: string): string;
  entries(writer: string): string;
  start(writer: string): string;
  /** Channels, whose messages are hints. */
  readonly onCommit: string;
  readonly onMail: string;
  onAssignment(host: string): string;
  onEntry(writer: string): string;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/i;

/** A name that may stand in a key. Throws USAGE. */
export function nameOf(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new PlumbError('USAGE', `${JSON.stringify(name)} cannot name a ${what}: letters, digits, dots and dashes can`);
}

/** The keys of a fleet. */
export function keysOf(fleet: string): Keys {
  const key = (name: string): string => `plumb:{${fleet}}:${name}`;
  return {
    incarnation: key('incarnation'),
    cursor: key('cursor'),
    hosts: key('hosts'),
    placements: key('placements'),
    addresses: key('addresses'),
    loads: key('loads'),
    counts: key('counts'),
    replies: key('replies'),
    replied: key('replied'),
    log: key('log'),
    reporting: key('reporting'),
    mail: key('mail'),
    notice: key('notice'),
    writers: key('writers'),
    lease: (name) => key(`lease:${name}`),
    assignment: (host) => key(`assignment:${host}`),
    report: (host) => key(`report:${host}`),
    entries: (writer) => key(`journal:${writer}:entries`),
    start: (writer) => key(`journal:${writer}:start`),
    onCommit: key('on:commit'),
    onMail: key('on:mail'),
    onAssignment: (host) => key(`on:assignment:${host}`),
    onEntry: (writer) => key(`on:journal:${writer}`),
  };
}
