import { setUp } from '../test/set-up.ts';

const INTERRUPTED = 130;

/** Does `work` with what it needs here set up, and ends that after it, also where Ctrl-C or SIGTERM comes sooner. */
export async function withSetUp<T>(work: () => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const stopped = Promise.withResolvers<never>();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort();
      stopped.reject(new Error(`ended by ${name}`));
    });
  }
  // Also rejects where nobody waits for it yet.
  stopped.promise.catch(() => undefined);
  try {
    const end = await setUp((line) => void process.stderr.write(`${line}\n`), stop.signal);
    try {
      return await Promise.race([work(), stopped.promise]);
    } finally {
      await end();
    }
  } finally {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
  }
}
