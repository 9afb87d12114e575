interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets many callers share runs of work that costs little more for many items than for one: items that arrive in the same turn,
 * or while a run is on, make up the next run. `work` gives one result an item, in order; what it throws, all of its callers get.
 * With `linger` (milliseconds) a first item waits so long for others.
 */
export function gathered<Item, Result>(
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  linger = 0,
): (item: Item) => Promise<Result> {
  let queue: Waiting<Item, Result>[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    if (busy) return;
    busy = true;
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      try {
        const results = await work(batch.map(({ item }) => item));
        for (const [i, { resolve, reject }] of batch.entries()) {
          if (i < results.length) resolve(results[i] as Result);
          else reject(new RangeError('a shared run gave too few results'));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    busy = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject });
      if (linger === 0) setImmediate(() => void drain());
      else if (queue.length === 1) setTimeout(() => void drain(), linger);
    });
}
