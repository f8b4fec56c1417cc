/** What all of them yield, as it comes; ends when all have ended. What breaks off once nobody reads any more is nobody's trouble. */
export async function* merge<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const next = new Map(sources.map((source) => [source, turn(source)]));
  while (next.size > 0) {
    const { source, result } = await Promise.race(next.values());
    if (result.done === true) next.delete(source);
    else {
      next.set(source, turn(source));
      yield result.value;
    }
  }
}

interface Turn<T> {
  source: AsyncGenerator<T>;
  result: IteratorResult<T>;
}

function turn<T>(source: AsyncGenerator<T>): Promise<Turn<T>> {
  const taken = source.next().then((result) => ({ source, result }));
  taken.catch(() => {
    // It is heard where it is waited for.
  });
  return taken;
}
