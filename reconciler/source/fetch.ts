import { createHash } from 'node:crypto';
import { asPlumbError, PlumbError } from '../model/errors.ts';
import { wantedName } from './address.ts';
import type { WantedRef } from './address.ts';
import { READ_DEADLINE, recall, remember } from './mirror.ts';
import type { Memory, Mirror } from './mirror.ts';
import { commitId, has } from './objects.ts';

/** What one fetch found. It never throws for a remote that fails: the last good revision stays. */
export interface FetchResult {
  /** The revision to work with: the new one, or the last good one; absent when there never was one. */
  readonly revision?: string;
  /** Milliseconds since 1970 of the last fetch that worked: how old the revision's word is. */
  readonly lastSuccess?: number;
  /** Why this fetch failed, when it did. */
  readonly error?: PlumbError;
  /** History was rewritten: `from` was the last good revision and is no ancestor of `to`. */
  readonly forced?: { readonly from: string; readonly to: string };
  /** The branch or tag was there and is gone. */
  readonly vanished?: true;
}

/** Follows one wanted ref of a mirror's remote. */
export interface Fetcher {
  fetch(): Promise<FetchResult>;
  /** The last good revision. */
  lastGood(): string | undefined;
}

/** How often the time of the last success is written down when nothing else changed, in milliseconds. */
const REMEMBER_EVERY = 60_000;

function isId(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** Id of what is wanted according to the remote's listing; undefined when the remote has no such ref. */
function wantedIn(listing: string, wanted: WantedRef | undefined): string | undefined {
  const ids = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [id = '', name = ''] = line.split('\t');
    if (isId(id)) ids.set(name, id);
  }
  if (!wanted) return ids.get('HEAD');
  if ('commit' in wanted) return undefined;
  if ('branch' in wanted) return ids.get(`refs/heads/${wanted.branch}`);
  // what an annotated tag points at is listed with ^{}
  return ids.get(`refs/tags/${wanted.tag}^{}`) ?? ids.get(`refs/tags/${wanted.tag}`);
}

function good(memory: Memory): FetchResult {
  return {
    ...(memory.revision === undefined ? {} : { revision: memory.revision }),
    ...(memory.lastSuccess === undefined ? {} : { lastSuccess: memory.lastSuccess }),
  };
}

/** Throws when one of both commits is not here. */
async function isBefore(mirror: Mirror, older: string, newer: string): Promise<boolean> {
  const text = await mirror.git.text(['rev-list', '--max-count=1', older, `^${newer}`, '--'], READ_DEADLINE);
  return text.trim() === '';
}

async function isAncestor(mirror: Mirror, older: string, newer: string): Promise<boolean> {
  return (await has(mirror.git, older)) && (await isBefore(mirror, older, newer));
}

async function revisionOf(mirror: Mirror, wanted: WantedRef | undefined, listing: string): Promise<string> {
  const missing = (why: string): PlumbError =>
    new PlumbError('REVISION_NOT_FOUND', `${wantedName(wanted)}: ${why}`, { wanted: wantedName(wanted) });
  if (wanted && 'commit' in wanted) {
    const here = await commitId(mirror.git, wanted.commit);
    if (here !== undefined) return here;
    if (!isId(wanted.commit)) throw missing('no branch or tag of the remote holds it; give the full id');
    await mirror.fetchCommit(wanted.commit).catch(() => undefined);
    const fetched = await commitId(mirror.git, wanted.commit);
    if (fetched === undefined) throw missing('the remote does not have it or does not give it');
    return fetched;
  }
  const id = wantedIn(listing, wanted);
  if (id === undefined)
    throw missing(listing.trim() === '' ? 'the repository has no commit yet' : 'the remote has no such ref');
  const revision = await commitId(mirror.git, id);
  if (revision !== undefined) return revision;
  // it moved between listing and fetch, or HEAD is on no branch
  await mirror.fetchCommit(id);
  const fetched = await commitId(mirror.git, id);
  if (fetched === undefined) throw missing(`the remote names ${id}, which is no commit`);
  return fetched;
}

/** Keeps the revision, and one that a force-push dropped, from being collected: history must stay explainable. */
async function pin(mirror: Mirror, wanted: WantedRef | undefined, revision: string, dropped?: string): Promise<void> {
  const name = createHash('sha256').update(wantedName(wanted)).digest('hex').slice(0, 16);
  const refs = [`refs/plumbline/good/${name} ${revision}`];
  if (dropped !== undefined) refs.push(`refs/plumbline/kept/${dropped} ${dropped}`);
  // a transaction says that it is done
  const lines = ['start', ...refs.map((ref) => `update ${ref}`), 'commit', ''];
  await mirror.git.text(['update-ref', '--stdin'], READ_DEADLINE, lines.join('\n'));
}

/** A fetcher that goes on where an earlier process stopped. */
export async function createFetcher(
  mirror: Mirror,
  wanted: WantedRef | undefined,
  clock: () => number,
): Promise<Fetcher> {
  let memory = await recall(mirror, wanted);
  let rememberedAt = memory.lastSuccess ?? 0;
  /** A first fetch that did not wait for its listing; it may outlive it, and the next update waits for the same. */
  let ahead: Promise<void> | undefined;
  if (memory.revision !== undefined && !(await has(mirror.git, memory.revision))) memory = {};

  async function keep(next: Memory, changed: boolean): Promise<void> {
    memory = next;
    if (!changed && clock() - rememberedAt < REMEMBER_EVERY) return;
    await remember(mirror, wanted, next);
    rememberedAt = clock();
  }

  async function update(): Promise<FetchResult> {
    const mirrored = await mirror.present();
    const present = memory.revision !== undefined && mirrored;
    if (present && wanted && 'commit' in wanted) {
      // a commit never changes: once it is here the remote is not asked again
      await keep({ ...memory, lastSuccess: clock() }, false);
      return good(memory);
    }
    // who has nothing fetches in any case, and need not wait for the listing
    if (!mirrored) ahead ??= mirror.fetch().finally(() => (ahead = undefined));
    ahead?.catch(() => undefined); // why the listing failed is told first
    const fetching = ahead;
    const listing = await mirror.list();
    const digest = createHash('sha256').update(listing).digest('hex');
    if (present && digest === memory.listing) {
      await keep({ ...memory, lastSuccess: clock() }, false);
      return good(memory);
    }
    await (fetching ?? mirror.fetch());
    const from = memory.revision;
    // mostly a branch has moved on: one question tells that, and that the commit is here
    const next = wanted && !('branch' in wanted) ? undefined : wantedIn(listing, wanted);
    const follows = from !== undefined && next !== undefined && (await isBefore(mirror, from, next).catch(() => false));
    const revision = follows ? next : await revisionOf(mirror, wanted, listing);
    const forced = !follows && from !== undefined && from !== revision && !(await isAncestor(mirror, from, revision));
    await pin(mirror, wanted, revision, forced && (await has(mirror.git, from)) ? from : undefined);
    await keep({ revision, listing: digest, lastSuccess: clock() }, true);
    return forced ? { ...good(memory), forced: { from, to: revision } } : good(memory);
  }

  let running: Promise<FetchResult> | undefined;
  async function fetch(): Promise<FetchResult> {
    const before = memory;
    try {
      return await update();
    } catch (error) {
      const known = asPlumbError(error, 'SOURCE_UNREACHABLE');
      const gone =
        known.code === 'REVISION_NOT_FOUND' && before.revision !== undefined && !(wanted && 'commit' in wanted);
      return { ...good(memory), error: known, ...(gone ? { vanished: true } : {}) };
    }
  }

  return {
    // two callers share one fetch
    fetch: () => (running ??= fetch().finally(() => (running = undefined))),
    lastGood: () => memory.revision,
  };
}
