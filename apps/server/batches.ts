interface Waiting<In, Out> {
  item: In;
  resolve: (out: Out) => void;
  reject: (error: unknown) => void;
}

/** How items become batches: as many at once, and in each at most so many. */
export interface BatchSizes {
  atOnce: number;
  most: number;
}

const ALL_IN_TURN: BatchSizes = { atOnce: 1, most: Infinity };

/**
 * Does together what comes in together, in the order it came: a batch begins when it is full, or when nothing else is to be
 * read; while as many are done as may be at once, others wait. `work` answers one result an item; where it fails, all of
 * its batch fail.
 */
export function createBatches<In, Out>(
  work: (items: readonly In[]) => Promise<readonly Out[]>,
  { atOnce, most }: BatchSizes = ALL_IN_TURN,
): (item: In) => Promise<Out> {
  let waiting: Waiting<In, Out>[] = [];
  let busy = 0;
  let isDue = false;

  function begin(least: number): void {
    while (waiting.length >= least && busy < atOnce) {
      const batch = waiting.slice(0, most);
      waiting = waiting.slice(most);
      busy += 1;
      void finish(batch);
    }
  }

  async function finish(batch: readonly Waiting<In, Out>[]): Promise<void> {
    try {
      const results = await work(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Out);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    busy -= 1;
    begin(1);
  }

  return (item) =>
    new Promise<Out>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      begin(most);
      if (isDue) return;
      isDue = true;
      setImmediate(() => {
        isDue = false;
        begin(1);
      });
    });
}
