import type { SourceStatus } from '../reconciler/model/notice.ts';
import { age } from './memory-text.ts';

/** Of a repository that could not be fetched just now: since when what is known of it is old, and why; undefined of others. */
export function staleText({ url, ref, fetchedAt, error }: SourceStatus): string | undefined {
  return error === undefined
    ? undefined
    : `source ${url} ${ref}: last fetched ${age(Date.now() - fetchedAt)} ago: ${error}`;
}
