/** Lets a few works run at once and the others wait in order. A work that may begin does so before the call returns. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** A gate for so many at once. */
export function createGate(most: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // the place goes on to the next one, who therefore does not count again
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
