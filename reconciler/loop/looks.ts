/** Hints make one look no more often than so, milliseconds: of many commits some are then taken up together. */
const SPACING = 500;

/** When Git is due to be looked at: now and then, and soon after each hint that something is new there. */
export interface Looks {
  /** When the next look is due, milliseconds since 1970. */
  at(): number;
  /** Something may be new there. The first hint after a while is followed at once. */
  hint(): void;
  /** A look begins: hints until now are followed by it. */
  begin(): void;
  /** It has ended well; the next one comes after so many milliseconds, if nothing is heard before. */
  end(poll: number): void;
  /** The next one is due at once. */
  reset(): void;
}

/** The first look is due at once. */
export function createLooks(clock: () => number): Looks {
  let due = 0;
  let began = 0;
  let hinted = false;
  return {
    at: () => due,
    hint: () => {
      hinted = true;
      due = Math.min(due, began + SPACING);
    },
    begin: () => {
      hinted = false;
      began = clock();
    },
    end: (poll) => {
      due = clock() + poll;
      // what came after the look had begun may not have been there for it
      if (hinted) due = Math.min(due, began + SPACING);
    },
    reset: () => {
      due = 0;
    },
  };
}
