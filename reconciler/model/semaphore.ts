/** Runs work at once while fewer than its limit are under way; the rest waits, first come, first served. */
export type Semaphore = <T>(work: () => Promise<T>) => Promise<T>;

/** A semaphore that lets `limit` works run at a time. */
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
