import { isReady } from '#core/docker/readiness.ts';
import type { LivePod } from '#core/docker/world.ts';
import { podKey } from './names.ts';

/** Remembers which pods were ready, and since when they are not. */
export interface Readiness {
  follow(pods: readonly LivePod[]): LivePod[];
}

export function createReadiness(): Readiness {
  /** Of pods that were ready once: since when they are not; 0 where they are. */
  const known = new Map<string, { sandbox: string; since: number }>();

  function follow(pod: LivePod): LivePod {
    const key = podKey(pod);
    const before = known.get(key);
    if (isReady(pod)) {
      known.set(key, { sandbox: pod.sandbox.id, since: 0 });
      return pod;
    }
    if (before === undefined || before.sandbox !== pod.sandbox.id) return pod;
    const now = Date.now();
    // The clock may have been set back since.
    if (before.since === 0 || before.since > now) before.since = now;
    return { ...pod, unreadySince: before.since };
  }

  return {
    follow(pods) {
      const keys = new Set(pods.map(podKey));
      for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
      return pods.map(follow);
    },
  };
}
