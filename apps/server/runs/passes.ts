/**
 * Does `pass` for a key, one at a time for each. Who calls while one goes on waits for the next, which serves all that
 * wait: what was there at the call is seen by the pass that the call waits for.
 */
export function createPasses<Item>(
  pass: (item: Item) => Promise<void>,
): (key: string, item: Item) => Promise<void> {
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<void>>();

  function begin(key: string, item: Item): Promise<void> {
    waiting.delete(key);
    const begun = pass(item).finally(() => {
      if (running.get(key) === begun) running.delete(key);
    });
    running.set(key, begun);
    return begun;
  }

  return function request(key, item) {
    const now = running.get(key);
    if (now === undefined) return begin(key, item);
    const next =
      waiting.get(key) ??
      now.then(
        () => begin(key, item),
        () => begin(key, item),
      );
    waiting.set(key, next);
    return next;
  };
}
