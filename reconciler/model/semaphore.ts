/** Runs work with a limit on how much of it runs at a time; the rest waits in order. */
export type Semaphore = <T>(work: () => Promise<T>) => Promise<T>;

/** A semaphore of `limit` places. */
export function semaphore(limit: number): Semaphore {
  let free = limit;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
