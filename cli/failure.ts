import type { ErrorCode, PlumbError } from '../reconciler/model/errors.ts';
import { NEXT_STEPS } from './next-steps.ts';

/** An error of a verb, for programs. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** What it is about: a store, a file, a repository, a thing; or else the command line. */
  readonly place: string;
  /** What to do about an error of this code. */
  readonly next: string;
}

/** Codes whose messages say themselves what to do. */
const TOLD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'USAGE',
  'TREE_EMPTY',
  'HOST_NOT_NAMED',
  'STORE_LOCKED',
  'NOT_RUNNING',
  'LAB_FAILED',
  'MISSING_PROGRAM',
]);

/** What stands in a next step for what the error is about, and the details that name it. */
const STAND_INS: Readonly<Record<string, readonly string[]>> = { ADDRESS: ['url', 'root'], IMAGE: ['reference'] };

/** What to do about an error, about just what it names. */
function nextOf({ code, details }: PlumbError): string {
  return NEXT_STEPS[code].replace(/\b(?:ADDRESS|IMAGE)\b/g, (word) => {
    const value = STAND_INS[word]?.map((name) => details[name]).find((each) => typeof each === 'string');
    return typeof value === 'string' ? value : word;
  });
}

/** The line for a person about what to do next; empty where the message has said it. */
export function nextStepOf(error: PlumbError): string {
  return TOLD.has(error.code) ? '' : `  next: ${nextOf(error)}\n`;
}

/** Members of an error's details that say where it is, the narrowest first. */
const PLACES = ['ref', 'where', 'file', 'path', 'target', 'host', 'store', 'state', 'writer', 'url', 'what'];

/** Whether the words ask for JSON, also where they cannot be parsed. */
export function asksForJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, at) =>
      word === '-ojson' ||
      word === '--output=json' ||
      (word === 'json' && ['-o', '--output'].includes(argv[at - 1] ?? '')),
  );
}

/** The one shape of errors under `-o json`. */
export function failureOf(error: PlumbError, command: string): Failure {
  const { code, message, details } = error;
  const place = PLACES.map((name) => details[name]).find((value) => typeof value === 'string' && value !== '');
  return { code, message, place: typeof place === 'string' ? place : command, next: nextOf(error) };
}
