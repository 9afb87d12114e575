/** The items of both as they come, until both have ended; what one throws ends both. */
export async function* merged<T>(...sources: readonly AsyncIterable<T>[]): AsyncIterable<T> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const take = async (at: number) => ({ at, item: await iterators[at]?.next() });
  const coming = new Map(iterators.map((_, at) => [at, take(at)]));
  try {
    while (coming.size > 0) {
      const { at, item } = await Promise.race(coming.values());
      if (item === undefined || item.done === true) coming.delete(at);
      else {
        coming.set(at, take(at));
        yield item.value;
      }
    }
  } finally {
    for (const rest of coming.values()) rest.catch(() => undefined);
    for (const at of coming.keys()) void iterators[at]?.return?.().catch(() => undefined);
  }
}
