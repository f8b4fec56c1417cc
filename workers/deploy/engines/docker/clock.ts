import { callDocker } from '#adapters/docker/call.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from './context.ts';

/** Less than that changes no decision: what is timed here is timed in seconds. */
const MOST_MS = 2_000;

/** Tells where Docker's clock is another than ours: when containers started and ended is told by the one, and judged by the other. */
export async function checkClock(context: DockerContext, signal: AbortSignal): Promise<void> {
  const { cluster, log } = context;
  try {
    const asked = Date.now();
    const { SystemTime } = await callDocker<{ SystemTime: string }>(context.docker, {
      method: 'GET',
      path: '/info',
      signal,
    });
    const answered = Date.now();
    const aheadMs = clockAhead(Date.parse(SystemTime), { asked, answered });
    if (aheadMs === 0) return;
    const seconds = Math.round(aheadMs / 1_000);
    log.warn(
      { cluster, seconds },
      "the server's clock is so far ahead of the one here: back-off and deadlines are wrong by as much until both are set by NTP",
    );
  } catch (error) {
    if (!signal.aborted) log.debug({ cluster, reason: messageOf(error) }, 'no look at the clock');
  }
}

/** By how much at least; 0 where it is as good as the same. */
export function clockAhead(
  theirs: number,
  { asked, answered }: { asked: number; answered: number },
): number {
  if (theirs > answered + MOST_MS) return theirs - answered;
  return theirs < asked - MOST_MS ? theirs - asked : 0;
}
