import { z } from 'zod';
import { RunningQuery } from '#core/adopt/running-container.ts';
import { Server } from '#core/declarations/cluster-server.ts';
import { SealedManifests } from '#core/release/release.ts';

/** The queue contract: job name to payload, parsed again on receipt. Secrets never travel in clear here. */
export const jobs = {
  /** Clone, test, build, push, render; on the queue `build`. */
  build: z.strictObject({ runId: z.string() }),
  /** Release one entry and bring it to serve; on the queue of its cluster. */
  deploy: z.strictObject({ runId: z.string(), entry: z.string() }),
  /** What would change; answers with `{ plan }`; on the queue of the cluster. */
  plan: z.strictObject({ owner: z.string(), manifests: SealedManifests }),
  /** What a container is for; answers with `{ found }`, which is absent where it is not there. */
  find: z.strictObject({ reference: z.string() }),
  /**
   * What containers that somebody else made are like; the answer, which holds their environment in clear, goes to the
   * server under `id`.
   */
  running: z.strictObject({ id: z.string(), wanted: RunningQuery }),
  /** How servers are and what would be done if the file had these; answers with `{ fleet }`. */
  'plan-servers': z.strictObject({ servers: z.array(Server) }),
  /** A swarm that has lost its quorum goes on with one manager; answers with what that does. */
  recover: z.strictObject({ from: z.string(), how: z.enum(['plan', 'do']), who: z.string() }),
  /** What would happen without these servers; answers with a `Loss`. */
  simulate: z.strictObject({ lose: z.array(z.string()) }),
  /** What servers have unevenly; answers with `{ uneven }`. */
  rebalance: z.strictObject({}),
  /**
   * Opens a tunnel to the server under `id`, for a command (which travels in the tunnel) or a connection; answers with
   * where it leads once that is known.
   */
  tunnel: z.strictObject({
    id: z.string(),
    workload: z.string(),
    namespace: z.string(),
    container: z.string().optional(),
    /** Of a connection. */
    port: z.int().min(1).max(65_535).optional(),
    who: z.string(),
  }),
  /** Streams a workload's log to the Redis channel `stream`, until its keep-alive key expires. */
  logs: z.strictObject({
    stream: z.string(),
    workload: z.string(),
    namespace: z.string(),
    container: z.string().optional(),
    follow: z.boolean(),
    tail: z.int().min(0).optional(),
  }),
};
type JobName = keyof typeof jobs;
export type JobPayload<Name extends JobName> = z.infer<(typeof jobs)[Name]>;

export const BUILD_QUEUE = 'build';

export function clusterQueue(cluster: string): string {
  return `cluster-${cluster}`;
}

/** Deterministic, so that adding the same work twice is adding it once. BullMQ refuses `:` in ids. */
export function jobId(name: 'build' | 'deploy', runId: string, entry?: string): string {
  return entry === undefined ? `${runId}.${name}` : `${runId}.${name}.${entry}`;
}
