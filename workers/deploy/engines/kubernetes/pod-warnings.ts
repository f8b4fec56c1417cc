import pMap from 'p-map';
import { listObjects } from '#adapters/kubernetes/objects.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { ApiKind } from '#core/kubernetes/api-kind.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import { isLate, latestWarning } from '#core/kubernetes/pod-warnings.ts';
import type { KubernetesContext } from './context.ts';

const ASK_AGAIN_MS = 10_000;
/** Of many that are late for one reason a few tell it. */
const MOST_PODS = 20;
const AT_ONCE = 4;

const EVENTS: ApiKind = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  verbs: [],
};

/** What Kubernetes has met with in starting pods that are late. */
export interface PodWarnings {
  /** Asks for what is not known of these pods, or was asked for a while ago; forgets others. */
  learn(pods: readonly KeptPod[], signal: AbortSignal): Promise<void>;
  told(pod: KeptPod): KeptPod;
}

export function createPodWarnings({ client, log, cluster }: KubernetesContext): PodWarnings {
  const known = new Map<string, { at: number; warning: string | undefined }>();

  async function ask(pod: KeptPod, signal: AbortSignal): Promise<string | undefined> {
    const { namespace, uid } = pod;
    try {
      const scope = { namespace, fieldSelector: `involvedObject.uid=${uid},type=Warning` };
      return latestWarning(await listObjects(client, EVENTS, scope, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UserError)) throw error;
      // They may not be read: health is told without them.
      log.info({ cluster, pod: pod.name, reason: messageOf(error) }, 'events cannot be read');
      return undefined;
    }
  }

  return {
    async learn(pods, signal) {
      const now = Date.now();
      const late = pods.filter((pod) => isLate(pod, now));
      const there = new Set(late.map(({ uid }) => uid));
      for (const uid of known.keys()) if (!there.has(uid)) known.delete(uid);
      const due = late.filter(({ uid }) => now - (known.get(uid)?.at ?? 0) >= ASK_AGAIN_MS);
      await pMap(
        due.slice(0, MOST_PODS),
        async (pod) => known.set(pod.uid, { at: now, warning: await ask(pod, signal) }),
        { concurrency: AT_ONCE, signal },
      );
    },
    told(pod) {
      const warning = known.get(pod.uid)?.warning;
      return warning === undefined ? pod : { ...pod, warning };
    },
  };
}
