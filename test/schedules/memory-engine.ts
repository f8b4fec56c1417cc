import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';

export interface MemoryEngine extends Engine {
  /** Sources that came to run, one after the other. */
  readonly applied: readonly string[];
}

/** An engine that takes two passes for a change; what `isSound` denies never becomes healthy. */
export function createMemoryEngine(isSound: (source: string) => boolean): MemoryEngine {
  const applied: string[] = [];
  let isUp = false;

  function statusOf({ owner, release }: DesiredState, source: string): OwnerStatus {
    const serving = isUp && isSound(source);
    const failure = isUp && !isSound(source) ? { failure: `${source} crashes` } : {};
    return { owner, release, plan: [], held: [], resources: [], serving, ...failure };
  }

  return {
    applied,
    plan: async () => [],
    async reconcile(desired) {
      const owners = desired.map((state) => {
        const source = sourceOf(state);
        isUp = applied.at(-1) === source;
        if (!isUp) applied.push(source);
        return statusOf(state, source);
      });
      return { owners, done: [], orphans: [], wakeAfterMs: isUp ? 60_000 : 10 };
    },
    watch: (_onEvent, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    logs: nobody,
    find: nobody,
    running: nobody,
    locate: nobody,
    exec: nobody,
    connect: nobody,
    fleet: nobody,
    planServers: nobody,
    recover: nobody,
    close: async () => undefined,
  };
}

function sourceOf({ resources }: DesiredState): string {
  return resources[0]?.metadata.name ?? '';
}

function nobody(): never {
  throw new Error('nobody asks for that here');
}
