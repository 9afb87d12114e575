import type { Io } from './io.ts';

export type Run = (argv: readonly string[], io: Io) => Promise<number>;

/** A verb of the command line; its code is loaded when it is called, so that the others start fast. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Run>;
}
