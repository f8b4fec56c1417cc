import { awaitTurn } from '#adapters/git/keyed-lock.ts';

/** Some work goes on beside other work of its kind, some only alone. Both in the order they came; waiting ends when aborted. */
export interface SharedLock {
  beside<T>(this: void, signal: AbortSignal, use: () => Promise<T>): Promise<T>;
  alone<T>(this: void, signal: AbortSignal, use: () => Promise<T>): Promise<T>;
}

export function createSharedLock(): SharedLock {
  /** Ends with the last that goes on alone, and all before it. */
  let alone: Promise<unknown> = Promise.resolve();
  /** Each ends with one that came after that. */
  let beside = new Set<Promise<void>>();

  async function held<T>(
    before: Promise<unknown>,
    leave: () => void,
    signal: AbortSignal,
    use: () => Promise<T>,
  ): Promise<T> {
    try {
      await awaitTurn(before, signal);
      return await use();
    } finally {
      leave();
    }
  }

  return {
    beside(signal, use) {
      const { promise: done, resolve } = Promise.withResolvers<void>();
      const those = beside.add(done);
      function leave(): void {
        those.delete(done);
        resolve();
      }
      return held(alone, leave, signal, use);
    },
    alone(signal, use) {
      const before = Promise.all([alone, ...beside]);
      const { promise: done, resolve } = Promise.withResolvers<void>();
      alone = before.then(() => done);
      beside = new Set();
      return held(before, resolve, signal, use);
    },
  };
}
