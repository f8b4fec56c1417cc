import type { Logger } from 'pino';

/** What was started, to be ended in the opposite order. */
export interface Cleanup {
  add(what: string, end: () => Promise<void>): void;
  /** Ends everything; what cannot be ended keeps nothing else from it. */
  run(): Promise<void>;
}

export function createCleanup(log: Logger): Cleanup {
  const entries: { what: string; end: () => Promise<void> }[] = [];
  return {
    add(what, end) {
      entries.push({ what, end });
    },
    async run() {
      for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
        try {
          await entry.end();
        } catch (error) {
          log.error({ err: error }, `${entry.what} did not end well`);
        }
      }
    },
  };
}
