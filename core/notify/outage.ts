import { z } from 'zod';

/** Something has to be out of service, or back, this long to be told of: what flaps is told once. */
export const PATIENCE_MS = 60_000;

/** Of something that is out of service. Times are milliseconds since the epoch. */
export const Outage = z.strictObject({
  since: z.number(),
  told: z.boolean(),
  /** It serves again since then; not for long enough yet to be told. */
  backSince: z.number().exactOptional(),
});
export type Outage = z.infer<typeof Outage>;

/** Absent once it is over. */
export function whenUp(before: Outage | undefined, now: number): Outage | undefined {
  if (before?.told !== true) return undefined;
  const backSince = before.backSince ?? now;
  return now - backSince >= PATIENCE_MS ? undefined : { ...before, backSince };
}

/** Of what somebody wants to be out of service none begins. */
export function whenDown(
  before: Outage | undefined,
  isExpected: boolean,
  now: number,
): Outage | undefined {
  if (before?.told === true) return { since: before.since, told: true };
  return isExpected ? undefined : (before ?? { since: now, told: false });
}
