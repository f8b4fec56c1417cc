/** How patient one is with a container that ended: Kubernetes' crash back-off. */
export interface Backoff {
  /** How long the next restart has to wait after the container's end. */
  delayMs: number;
  /** When it was last restarted (ms since the epoch). */
  restartedAt: number;
}

const FIRST_DELAY_MS = 10_000;
/** Nothing here waits longer. */
export const LONGEST_DELAY_MS = 300_000;
/** After so long the past is forgiven. */
const FORGIVEN_MS = 600_000;

/** When a container that ended may be started again: at once the first time, and after it ran well for long. */
export function restartTime(backoff: Backoff | undefined, finishedAt: number): number {
  if (backoff === undefined || isForgiven(backoff, finishedAt)) return finishedAt;
  return finishedAt + backoff.delayMs;
}

/** After a restart: the next one waits twice as long. */
export function afterRestart(backoff: Backoff | undefined, restartedAt: number): Backoff {
  const isFirst = backoff === undefined || isForgiven(backoff, restartedAt);
  const delayMs = isFirst ? FIRST_DELAY_MS : Math.min(LONGEST_DELAY_MS, backoff.delayMs * 2);
  return { delayMs, restartedAt };
}

/** When an image may be pulled again after so many attempts that failed, the last one just now. */
export function pullTime(attempts: number, failedAt: number): number {
  return failedAt + Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1));
}

function isForgiven({ restartedAt }: Backoff, at: number): boolean {
  return at - restartedAt > FORGIVEN_MS;
}
