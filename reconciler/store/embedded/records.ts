import { createHash } from 'node:crypto';
import { PlumbError } from '../../model/errors.ts';
import type { Notice } from '../../model/notice.ts';
import type { Assignment, Report } from '../../model/replica.ts';
import type { AddressRecord, Delta, HostRecord, Verdict } from '../../model/reservations.ts';
import type { Placement } from '../../model/replica.ts';
import type { Ref } from '../../model/ref.ts';
import type { Lease } from '../../model/store.ts';

/** The answer to a request, kept so that a repeated request gets it again. */
export interface StoredReply {
  readonly id: string;
  /** When it was answered, milliseconds since 1970. */
  readonly at: number;
  readonly verdicts: readonly Verdict[];
  readonly cursor: number;
}

/** All that the store holds, as a log begins with it. */
export interface Base {
  readonly type: 'base';
  readonly cursor: number;
  readonly hosts: readonly HostRecord[];
  readonly placements: readonly Placement[];
  readonly addresses: readonly (readonly [string, AddressRecord])[];
  readonly replies: readonly StoredReply[];
  readonly leases: readonly Lease[];
  readonly fences: readonly (readonly [string, number])[];
  readonly assignments: readonly Assignment[];
  readonly reports: readonly Report[];
  readonly notice?: Notice;
  readonly settled?: readonly (readonly [Ref, string])[];
}

/** One change of the store. */
export type StoreRecord =
  | Base
  | { readonly type: 'commit'; readonly reply: StoredReply; readonly deltas: readonly Delta[] }
  | { readonly type: 'lease'; readonly lease: Lease }
  | { readonly type: 'release'; readonly name: string }
  | { readonly type: 'assignment'; readonly assignment: Assignment }
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'notice'; readonly notice: Notice }
  /** Without a fingerprint it is forgotten. */
  | { readonly type: 'settled'; readonly news: readonly (readonly [Ref, string?])[] };

/** Version of the log's format; a log of a newer one is refused. */
const FORMAT = 2;

export const HEADER: string = `${JSON.stringify({ plumbline: 'store', format: FORMAT })}\n`;

function sum(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 16);
}

/** One line: a checksum and the records of one durable write, which come back together or not at all. */
export function encodeLine(records: readonly StoreRecord[]): string {
  const json = JSON.stringify(records);
  return `${sum(json)} ${json}\n`;
}

/** Reads a line. Throws STORE_UNAVAILABLE when it is damaged. */
export function decodeLine(line: string, where: string): readonly StoreRecord[] {
  const json = line.slice(17);
  if (line[16] !== ' ' || sum(json) !== line.slice(0, 16))
    throw new PlumbError(
      'STORE_UNAVAILABLE',
      `${where} is damaged; move the file away: hosts and Git say the rest again`,
      {
        where,
      },
    );
  return JSON.parse(json) as readonly StoreRecord[];
}

/** Checks the first line. Throws STORE_UNAVAILABLE for a newer format or a foreign file. */
export function checkHeader(line: string, path: string): void {
  let format: unknown;
  try {
    const header = JSON.parse(line) as { readonly plumbline?: unknown; readonly format?: unknown };
    if (header.plumbline === 'store') format = header.format;
  } catch {
    // said below
  }
  if (typeof format !== 'number')
    throw new PlumbError('STORE_UNAVAILABLE', `${path} is not a store of Plumbline`, { path });
  if (format > FORMAT)
    throw new PlumbError(
      'STORE_UNAVAILABLE',
      `${path} was written by a newer plumb (format ${String(format)}, this one reads ${String(FORMAT)}); use that one`,
      { path, format },
    );
}
