import { resolveWithAny } from '#adapters/registry/resolve-digest.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { pullTime } from '#core/docker/backoff.ts';
import { messageOf } from '#core/errors.ts';
import type { SwarmDecision } from '#core/swarm/world.ts';
import type { SwarmContext } from './context.ts';

type Pulls = SwarmDecision['pulls'];
type Pull = Pulls extends ReadonlyMap<string, infer One> ? One : never;

/** Of an image that a server could not pull Swarm tells no more than that: what its registry says, asked by the manager. */
export interface PullReasons {
  /** What tasks pull from now on, by their template's hash. Of other templates nothing is known, or asked, any more. */
  want(pulls: Pulls): void;
  /**
   * What is known of the image of a task's template; absent where it is not yet, where the registry has the image for who
   * asks, and of a template that is not wanted. Asks beside the pass, less often each time.
   */
  reasonOf(template: string): string | undefined;
  close(): void;
}

interface Asked {
  pull: Pull;
  attempts: number;
  isUnderWay: boolean;
  /** Milliseconds, by a clock that nobody sets. */
  retryAt: number;
  reason?: string;
}

export function createPullReasons(
  { docker }: Pick<SwarmContext, 'docker'>,
  readCredentials: ReadCredentials,
  onChange: (what: string) => void,
): PullReasons {
  let wanted: Pulls = new Map();
  const asked = new Map<string, Asked>();
  /** Templates that somebody asked about and that were not wanted: after a start nothing is at first. */
  const unknown = new Set<string>();
  const closing = new AbortController();

  async function ask(template: string, state: Asked): Promise<void> {
    const { image, logins } = state.pull;
    const before = state.reason;
    delete state.reason;
    try {
      await resolveWithAny(docker, image, logins, readCredentials, closing.signal);
    } catch (error) {
      state.reason = messageOf(error);
    }
    state.attempts += 1;
    state.isUnderWay = false;
    state.retryAt = pullTime(state.attempts, performance.now());
    const isHeard = asked.get(template) === state && !closing.signal.aborted;
    if (isHeard && state.reason !== before) onChange(`registry of ${image}`);
  }

  return {
    want(pulls) {
      wanted = pulls;
      for (const [template, { pull }] of asked)
        if (JSON.stringify(pull) !== JSON.stringify(pulls.get(template))) asked.delete(template);
      const isKnownNow = [...unknown].some((template) => pulls.has(template));
      unknown.clear();
      if (isKnownNow) onChange('images that are wanted');
    },
    reasonOf(template) {
      const pull = wanted.get(template);
      if (pull === undefined) {
        unknown.add(template);
        return undefined;
      }
      const state = asked.get(template) ?? { pull, attempts: 0, isUnderWay: false, retryAt: 0 };
      asked.set(template, state);
      const { reason } = state;
      if (!state.isUnderWay && state.retryAt <= performance.now()) {
        state.isUnderWay = true;
        void ask(template, state);
      }
      return reason;
    },
    close: () => closing.abort(),
  };
}
