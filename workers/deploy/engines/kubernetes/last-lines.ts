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
/** After a read that may go better the next time. */
const READ_AGAIN_MS = 10_000;
/** The API server answers so, or 5xx, where it may answer otherwise a moment later: too slow, too much at once. */
const PASSING = new Set([408, 429]);

/** What containers wrote before they ended badly, read once each; where that was broken off, again. */
export interface LastLines {
  /** Reads what is not known yet of these pods, and forgets others. */
  learn(pods: readonly KeptPod[], signal: AbortSignal): Promise<void>;
  /** The pod with what is known. */
  told(pod: KeptPod): KeptPod;
}

interface Read {
  lines: readonly string[];
  /** Milliseconds since the epoch, where it is worth another try. */
  againAt?: number;
}

export function createLastLines({
  client,
  log,
  cluster,
}: Pick<KubernetesContext, 'client' | 'log' | 'cluster'>): LastLines {
  const known = new Map<string, Read>();

  function nameOf({ uid }: KeptPod, { container, run }: BadEnd): string {
    return `${uid}/${container}/${run}`;
  }

  async function read(pod: KeptPod, end: BadEnd, signal: AbortSignal): Promise<Read> {
    const { namespace, name } = pod;
    const place = { namespace, pod: name, container: end.container };
    const how = { follow: false, tail: LINES, previous: end.previous, limitBytes: MOST_BYTES };
    const lines: string[] = [];
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(READ_MS)]);
      for await (const line of readPodLog(client, place, how, limit)) lines.push(line);
    } catch (error) {
      signal.throwIfAborted();
      // Its node is away or slow, it is gone, or it may not be read: health is told without it.
      const status = error instanceof ApiError ? error.status : undefined;
      log.info({ cluster, pod: name, container: end.container, status }, 'its log cannot be read');
      if (isPassing(status)) return { lines, againAt: Date.now() + READ_AGAIN_MS };
    }
    return { lines };
  }

  return {
    async learn(pods, signal) {
      const ends = pods.flatMap((pod) =>
        badEndsOf(pod).map((end) => ({ pod, end, name: nameOf(pod, end) })),
      );
      const there = new Set(ends.map(({ name }) => name));
      for (const name of known.keys()) if (!there.has(name)) known.delete(name);
      const now = Date.now();
      await pMap(
        ends.filter(({ name }) => isDue(known.get(name), now)),
        async ({ pod, end, name }) => known.set(name, await read(pod, end, signal)),
        { concurrency: AT_ONCE, signal },
      );
    },
    told: (pod) => withLastLines(pod, (end) => known.get(nameOf(pod, end))?.lines),
  };
}

/** Without a status it was broken off. */
function isPassing(status: number | undefined): boolean {
  return status === undefined || status >= 500 || PASSING.has(status);
}

function isDue(read: Read | undefined, now: number): boolean {
  if (read === undefined) return true;
  return read.againAt !== undefined && read.againAt <= now;
}
