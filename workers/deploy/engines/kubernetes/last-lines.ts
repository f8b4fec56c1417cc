import pMap from 'p-map';
import { ApiError } from '#adapters/kubernetes/api-error.ts';
import { readPodLog } from '#adapters/kubernetes/pod-logs.ts';
import { badEndsOf, withLastLines } from '#core/kubernetes/last-lines.ts';
import type { BadEnd } from '#core/kubernetes/last-lines.ts';
import type { KeptPod } from '#core/kubernetes/pod-health.ts';
import type { KubernetesContext } from './context.ts';

const LINES = 10;
const MOST_BYTES = 16_384;
const READ_MS = 5_000;
const AT_ONCE = 4;

/** What containers wrote before they ended badly, read once each. */
export interface LastLines {
  /** Reads what is not known yet of these pods, and forgets others. */
  learn(pods: readonly KeptPod[], signal: AbortSignal): Promise<void>;
  /** The pod with what is known. */
  told(pod: KeptPod): KeptPod;
}

export function createLastLines({ client, log, cluster }: KubernetesContext): LastLines {
  const known = new Map<string, readonly string[]>();

  function nameOf({ uid }: KeptPod, { container, restarts, previous }: BadEnd): string {
    return `${uid}/${container}/${previous ? restarts - 1 : restarts}`;
  }

  async function read(pod: KeptPod, end: BadEnd, signal: AbortSignal): Promise<string[]> {
    const { namespace, name } = pod;
    const place = { namespace, pod: name, container: end.container };
    const how = { follow: false, tail: LINES, previous: end.previous, limitBytes: MOST_BYTES };
    const lines: string[] = [];
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]);
      for await (const line of readPodLog(client, place, how, limit)) lines.push(line);
    } catch (error) {
      signal.throwIfAborted();
      // Its node is away, it is gone, or it may not be read: health is told without it.
      const status = error instanceof ApiError ? error.status : undefined;
      log.info({ cluster, pod: name, container: end.container, status }, 'its log cannot be read');
    }
    return lines;
  }

  return {
    async learn(pods, signal) {
      const ends = pods.flatMap((pod) =>
        badEndsOf(pod).map((end) => ({ pod, end, name: nameOf(pod, end) })),
      );
      const there = new Set(ends.map(({ name }) => name));
      for (const name of known.keys()) if (!there.has(name)) known.delete(name);
      await pMap(
        ends.filter(({ name }) => !known.has(name)),
        async ({ pod, end, name }) => known.set(name, await read(pod, end, signal)),
        { concurrency: AT_ONCE, signal },
      );
    },
    told: (pod) => withLastLines(pod, (end) => known.get(nameOf(pod, end))),
  };
}
