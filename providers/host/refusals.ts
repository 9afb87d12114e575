/** What a file, or a setting of a card, would not take. */
export interface Refusal {
  /** What it was to say, in a form that can be compared. */
  readonly target: string;
  /** The value of the knob that asked for it, as Git has it. */
  readonly want: string;
  /** The errno before all words, or what it says instead. */
  readonly why: string;
  /** What it said afterwards. */
  readonly says: string | undefined;
  /** Which device it was about, where another one may come into its place. */
  readonly owner?: string | undefined;
  /** What of the machine a file is busy with (EBUSY), where that is known: what another file says. */
  readonly under?: string | undefined;
}

/**
 * Errors of errno(3) that pass: because of what else goes on (EBUSY, EAGAIN, ENOMEM), what is not there yet (ENOENT: a module that the value names) or how the machine is mounted (EROFS).
 * All others are the kernel's answer to the value (EINVAL, ERANGE, EDOM, EOPNOTSUPP, ENOSYS), to the device (EIO) or to the process (EPERM, EACCES): asked for the same it says the same.
 */
const PASSING: ReadonlySet<string> = new Set([
  'EAGAIN',
  'EBUSY',
  'EINTR',
  'EMFILE',
  'ENETDOWN',
  'ENFILE',
  'ENOBUFS',
  'ENODEV',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EROFS',
  'ESRCH',
  'ETIMEDOUT',
]);

/** The errno before the words of a refusal; undefined where it has none. */
export function errnoIn(why: string): string | undefined {
  return /^E[A-Z0-9]+\b/.exec(why)?.[0];
}

/** Whether an errno says that there is no such thing, rather than that a value is not taken. */
export function isLacking(errno: string | undefined): boolean {
  return errno === 'EOPNOTSUPP' || errno === 'ENOSYS';
}

/** Whether the same may be taken later although nothing else is asked for. */
export function passes(why: string): boolean {
  return PASSING.has(errnoIn(why) ?? '');
}

/** Whether it is refused for as long as the machine is as it is: for good, or for what another file says. */
export function lasts({ why, under }: Pick<Refusal, 'why' | 'under'>): boolean {
  return !passes(why) || (under !== undefined && errnoIn(why) === 'EBUSY');
}

/** Refusals that another value may be the reason of: of segmentation the checksums, of a range of ports its lower end. */
const BY_OTHERS = /^(EINVAL|Could not change)\b/;

/**
 * What was refused and does not pass by itself. It is not asked for again until Git says another value, the file says another one, another device comes into its
 * place, or what was, or may have been, its reason is otherwise. Kept in memory: each start of the agent, and so each boot, asks once.
 */
export interface Refusals {
  /** That of a file, by what it says now; `now` tells which device it is about, and what it may be refused for, by now. */
  of(id: string, says: string | undefined, now?: () => Pick<Refusal, 'owner' | 'under'>): Refusal | undefined;
  /** Keeps one, if it lasts. */
  note(id: string, refusal: Refusal): void;
  forget(id: string): void;
  /** Forgets those that may be taken now that others were set, of all ids that are `near` to these. */
  forgetOthers(near: (id: string) => boolean): void;
}

/** None yet. */
export function createRefusals(): Refusals {
  const known = new Map<string, Refusal>();
  return {
    of(id, says, now = () => ({})) {
      const refusal = known.get(id);
      if (refusal?.says !== says) return undefined;
      const { owner, under } = now();
      return refusal?.owner === owner && refusal?.under === under ? refusal : undefined;
    },
    note(id, refusal) {
      if (lasts(refusal)) known.set(id, refusal);
      else known.delete(id);
    },
    forget(id) {
      known.delete(id);
    },
    forgetOthers(near) {
      for (const [id, { why }] of known) if (BY_OTHERS.test(why) && near(id)) known.delete(id);
    },
  };
}
