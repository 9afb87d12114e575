import type { Catalog } from '../../model/catalog.ts';
import type { EntryDraft } from '../../model/journal.ts';
import type { Notice } from '../../model/notice.ts';
import { refOf } from '../../model/ref.ts';
import type { Journal } from '../../model/store.ts';
import { counted } from '../../model/words.ts';
import type { Log } from '../log.ts';

/** An event of the whole, before it is known to be one. */
export type Told = Omit<Extract<EntryDraft, { type: 'event' }>, 'type' | 'host'>;

/** Who wrote a revision, and its first line. */
export interface CommitInfo {
  readonly author: string;
  readonly subject: string;
}

/** A replica that finds no place, or not the room that it asks for. */
export interface Homeless {
  readonly replica: string;
  readonly message: string;
  /** The filters that keep it from one, or what it waits for. */
  readonly kept: string;
}

/** What a controller tells of Git, of hosts and of itself, in its journal. */
export interface Telling {
  tell(event: Told): Promise<void>;
  /** The same words are told once for a revision. */
  tellOnce(event: Told): Promise<void>;
  /**
   * All that finds no place, after each pass: of each replica once, in one write, and again only when something else keeps it from one. It is not told anew for
   * each revision, and not whenever the words are others because a host has more or less room: who waits would cost as much as what changes.
   */
  homeless(found: readonly Homeless[]): Promise<void>;
  /** A revision that was not worked on before. */
  revision(catalog: Catalog, commit: CommitInfo): Promise<void>;
  /** A source that went silent, and one that is back. */
  source(url: string, error: string | undefined, before: string | undefined): Promise<void>;
  /** Hosts that were lost, and are heard of again, in one write. */
  hosts(before: readonly string[], now: readonly string[]): Promise<void>;
  /** What an audit found otherwise than it was taken to be. */
  differs(things: readonly string[], why: string): Promise<void>;
}

/** What is worth posting: not that Git was looked at once more. */
export function contentOf(notice: Notice): string {
  const { fetchedAt, ...rest } = notice.source;
  return JSON.stringify({ ...notice, source: rest.error === undefined ? rest : { ...rest, fetchedAt } });
}

/** Tells in a journal. One that takes nothing (a full disk) keeps nobody from working. */
export function createTelling(journal: Pick<Journal, 'append'>, log: Log): Telling {
  const told = new Set<string>();
  /** Replica → what kept it from a place when that was told. */
  let homeless: ReadonlyMap<string, string> = new Map();

  // a list: so many arguments as replicas may find no place at once overflow the stack
  async function tell(events: readonly Told[]): Promise<void> {
    if (events.length === 0) return;
    try {
      await journal.append(events.map((event) => ({ type: 'event', host: '', ...event })));
    } catch (error) {
      log.warn({ err: error }, 'event not journaled');
    }
  }

  async function tellOnce(event: Told): Promise<void> {
    const key = `${event.reason} ${event.message}`;
    if (told.has(key)) return;
    told.add(key);
    await tell([event]);
  }

  return {
    tell: (event) => tell([event]),
    tellOnce,
    homeless: async (found) => {
      const before = homeless;
      homeless = new Map(found.map(({ replica, kept }) => [replica, kept]));
      const news = found.filter(({ replica, kept }) => before.get(replica) !== kept);
      const eventOf = ({ replica, message }: Homeless): Told => ({
        level: 'error',
        reason: 'Unplaceable',
        message: `${replica}: ${message}`,
        ref: refOf('replica', replica),
      });
      await tell(news.map(eventOf));
    },
    revision: async ({ revision, problems }, { author, subject }) => {
      told.clear();
      const short = revision.slice(0, 7);
      const base = { revision, author };
      await tell([{ level: 'info', reason: 'RevisionSynced', ...base, message: `${short} by ${author}: ${subject}` }]);
      if (problems.length === 0) return;
      const first = problems[0];
      const where = first ? ` (${first.file}:${String(first.line)}: ${first.message})` : '';
      const message = `${counted(problems.length, 'problem')} in ${short}${where}; what they touch is kept as it runs`;
      await tell([{ level: 'error', reason: 'ManifestErrors', ...base, message }]);
    },
    source: async (url, error, before) => {
      if (error !== undefined && before === undefined)
        await tell([
          { level: 'error', reason: 'SourceStale', message: `${url}: ${error}; the last good revision stays` },
        ]);
      if (error === undefined && before !== undefined)
        await tell([{ level: 'info', reason: 'SourceRecovered', message: url }]);
    },
    differs: async (things, why) => {
      const some = things.slice(0, 3).join(', ') + (things.length > 3 ? ', …' : '');
      const message = `an audit of everything found ${counted(things.length, 'thing')} otherwise (${some}): ${why}; it is put right`;
      await tell([{ level: 'warn', reason: 'AuditDiffers', message }]);
    },
    hosts: async (before, now) => {
      const [known, lost] = [new Set(before), new Set(now)];
      const lostEvent = (host: string): Told => ({
        level: 'error',
        reason: 'HostLost',
        message: `${host} is not heard of any more; what it ran may run on`,
      });
      const backEvent = (host: string): Told => ({
        level: 'info',
        reason: 'HostBack',
        message: `${host} is heard of again`,
      });
      await tell([
        ...now.filter((host) => !known.has(host)).map(lostEvent),
        ...before.filter((host) => !lost.has(host)).map(backEvent),
      ]);
    },
  };
}
