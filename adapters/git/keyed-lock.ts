/** Runs one `use` per key at a time, in order of arrival. Waiting ends when aborted. */
export type KeyedLock = <T>(key: string, signal: AbortSignal, use: () => Promise<T>) => Promise<T>;

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>();
  return async function withLock(key, signal, use) {
    const before = tails.get(key) ?? Promise.resolve();
    const { promise: done, resolve: leave } = Promise.withResolvers<void>();
    const tail = before.then(() => done);
    tails.set(key, tail);
    try {
      await awaitTurn(before, signal);
      return await use();
    } finally {
      leave();
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
}

/** Until what is before has ended. @throws the signal's reason when aborted sooner */
async function awaitTurn(before: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  function stop(): void {
    reject(signal.reason as Error);
  }
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
