/** Every key of BullMQ in Redis begins with it. */
export const QUEUE_PREFIX = 'windlass:queue';

/** Tries of a job in all; only what may pass by itself is tried again. */
export const ATTEMPTS = 4;
const FIRST_RETRY_MS = 2_000;
export const LONGEST_RETRY_MS = FIRST_RETRY_MS * 2 ** (ATTEMPTS - 1);

/** A worker that was killed lets go of its job after this; others look for such jobs this often. */
export const LOCK_MS = 10_000;
export const STALLED_CHECK_MS = 5_000;
/** How often the same job may lose its worker before it is given up. */
export const MAX_STALLED = 5;

const FAILED_KEPT_SECONDS = 24 * 3_600;

/** Of every job that a run needs. */
export const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  backoff: { type: 'exponential', delay: FIRST_RETRY_MS },
  removeOnComplete: true,
  removeOnFail: { age: FAILED_KEPT_SECONDS },
};
