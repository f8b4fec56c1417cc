/** What all of them yield, as it comes; ends when all have ended. */
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

async function turn<T>(
  source: AsyncGenerator<T>,
): Promise<{ source: AsyncGenerator<T>; result: IteratorResult<T> }> {
  return { source, result: await source.next() };
}
