import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredState, Engine, OwnerStatus } from '#core/engine.ts';

const PAUSE_MS = 100;
const LONG_MS = 180_000;
const NEVER = new AbortController().signal;

/** Passes until the owner is so, three minutes at most. */
export async function passesUntil(
  engine: Engine,
  desired: DesiredState,
  isSo: (status: OwnerStatus) => boolean,
): Promise<OwnerStatus> {
  const end = Date.now() + LONG_MS;
  for (;;) {
    const [status] = (await engine.reconcile([desired], NEVER)).owners;
    if (status !== undefined && isSo(status)) return status;
    if (Date.now() > end) throw new Error(`it never was: ${JSON.stringify(status)}`);
    await sleep(PAUSE_MS);
  }
}
