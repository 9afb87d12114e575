/** What a verb is given instead of the process: data goes to `out`, messages to `err`. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether `out` may carry colours: a terminal or FORCE_COLOR, and no NO_COLOR. */
  readonly color: boolean;
  readonly isTTY: boolean;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}
