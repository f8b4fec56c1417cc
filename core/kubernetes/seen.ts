import type { Health } from '#core/health.ts';

/** How an object is by what the API server says of it. */
export interface Seen {
  health: Health;
  /** For a person; empty where there is nothing to say. */
  summary: string;
  /** Of what keeps pods. */
  replicas?: { desired: number; ready: number };
  /** It will not get well by itself. */
  isFinal?: true;
  /** A pod that is ready: it serves, and what it was started for may be under way. */
  isRunning?: true;
}
