import type { Catalog } from '../../model/catalog.ts';
import type { SourceStatus } from '../../model/notice.ts';
import type { CommitInfo } from './telling.ts';

/** What a fetch found. */
export interface Fetched extends SourceStatus {
  /** Facts to tell once: a force-push, a branch that vanished. */
  readonly notes: readonly { readonly reason: string; readonly message: string }[];
}

/** The Git side of a controller. */
export interface Repository {
  /** Looks for new commits. Throws only when there never was a good one. */
  fetch(): Promise<Fetched>;
  /** Compiles a revision; only changed blobs are read. */
  catalog(revision: string): Promise<Catalog>;
  commit(revision: string): Promise<CommitInfo>;
  /** Calls back, until the signal aborts, when there may be a new commit. Hints: who loses one finds it by the next look. */
  watch?(moved: () => void, signal: AbortSignal): void;
}
