export interface HandOver<T> {
  /** Resolves once there is room for more. */
  put(value: T): Promise<void>;
  /** The oldest; undefined where none waits. */
  take(): T | undefined;
  /** Resolves at the next `put` or `wake`, or at once where something waits. */
  ready(): Promise<void>;
  wake(): void;
  /** Nobody takes any more: whoever waits for room goes on. */
  close(): void;
}

/** Values from several writers to one reader, of which no more than about `most` wait at a time. */
export function createHandOver<T>(most: number): HandOver<T> {
  const waiting: T[] = [];
  let room = Promise.withResolvers<void>();
  let news = Promise.withResolvers<void>();
  let isClosed = false;

  function wake(): void {
    news.resolve();
    news = Promise.withResolvers();
  }

  return {
    async put(value) {
      if (isClosed) return;
      waiting.push(value);
      wake();
      if (waiting.length >= most) await room.promise;
    },
    take() {
      const value = waiting.shift();
      if (waiting.length < most) {
        room.resolve();
        room = Promise.withResolvers();
      }
      return value;
    },
    async ready() {
      if (waiting.length === 0) await news.promise;
    },
    wake,
    close() {
      isClosed = true;
      room.resolve();
    },
  };
}
