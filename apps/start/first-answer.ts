import { setTimeout as sleep } from 'node:timers/promises';

const ASK_TIMEOUT_MS = 2_000;
const AGAIN_MS = 200;

/** Whether the address answers a request with success within the time. */
export async function answersWithin(
  url: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isAnswered(url, signal))) {
    if (Date.now() > deadline) return false;
    await sleep(AGAIN_MS, undefined, { signal });
  }
  return true;
}

async function isAnswered(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
    const response = await fetch(url, { signal: ends });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
