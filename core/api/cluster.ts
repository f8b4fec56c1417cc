import { z } from 'zod';
import { Note } from '#core/by-hand/by-hand.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import { PlanView } from '#core/api/plan.ts';
import { HEALTH_ORDER } from '#core/health.ts';
import type { ResourceKey } from '#core/resources/resource.ts';

const ContainerView = z.object({
  name: z.string(),
  image: z.string(),
  state: z.enum(['waiting', 'running', 'terminated']),
  ready: z.boolean(),
  restarts: z.number(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  exitCode: z.number().exactOptional(),
  /** How it ended before it was restarted. */
  last: z
    .object({ reason: z.string(), exitCode: z.number(), message: z.string().exactOptional() })
    .exactOptional(),
});

const PodView = z.object({
  name: z.string(),
  namespace: z.string(),
  owner: z.string(),
  ip: z.string().exactOptional(),
  /** Of one that is at its end, and why: DeadlineExceeded. */
  phase: z.enum(['Succeeded', 'Failed']).exactOptional(),
  reason: z.string().exactOptional(),
  ready: z.boolean(),
  createdAt: z.number(),
  containers: z.array(ContainerView),
});

const ResourceView = z.object({
  key: z.string(),
  health: z.object({ status: z.enum(HEALTH_ORDER), reason: z.string() }),
  summary: z.string(),
  /** Of what keeps pods. */
  replicas: z.object({ desired: z.number(), ready: z.number() }).exactOptional(),
  pods: z.array(PodView).exactOptional(),
});

const OverrideView: z.ZodType<Override> = z.discriminatedUnion('kind', [
  Note.extend({
    kind: z.literal('scale'),
    resource: z.string(),
    replicas: z.number(),
    released: z.number(),
    until: z.number(),
  }),
  Note.extend({ kind: z.literal('restart'), resource: z.string() }),
]);

const OwnerView = z.object({
  owner: z.string(),
  release: z.string(),
  plan: PlanView,
  /** Deletions that wait for a confirmation. */
  held: PlanView,
  resources: z.array(ResourceView),
  serving: z.boolean(),
  /** Since when nothing is done for it, by whom and why. */
  suspended: Note.exactOptional(),
  /** Until when the windows of the entry keep deploys from beginning, or who opened them. */
  closed: z.string().exactOptional(),
  /** In what it differs from git by hand, with who wanted it and until when. */
  overrides: z.array(OverrideView),
  failure: z.string().exactOptional(),
});

const ServerView = z.object({
  name: z.string(),
  /** At which the others reach it. */
  address: z.string(),
  role: z.enum(['manager', 'worker']).exactOptional(),
  /** As declared: `active`, `drain`; absent where it is in no file any more. */
  declared: z.enum(['active', 'drain', 'absent']).exactOptional(),
  /** In the swarm: `ready`, `down`, `disconnected`; `out` where it is no node, `unknown` where nobody can tell. */
  state: z.string(),
  availability: z.string().exactOptional(),
  /** Its Docker answers the deploy worker. */
  isReachable: z.boolean(),
  isLeader: z.boolean(),
  runsApplications: z.boolean(),
  /** Of Docker. */
  version: z.string().exactOptional(),
  /** The next step with it, why, what that waits for, and the steps after it as far as they can be foreseen. */
  pending: z
    .object({
      step: z.string(),
      reason: z.string(),
      held: z.string().exactOptional(),
      after: z.array(z.string()).exactOptional(),
    })
    .exactOptional(),
  /** What goes on with it. */
  waiting: z.string().exactOptional(),
  problem: z.string().exactOptional(),
});

/** The servers of a cluster that has several, and what is wrong with them together. */
export const FleetView = z.object({
  servers: z.array(ServerView),
  problems: z.array(z.string()),
});
export type FleetView = z.infer<typeof FleetView>;

/**
 * `GET /api/v1/clusters/:name/workloads`, and in `GET /api/v1/clusters`. Without `controller` no deploy worker has
 * reported on it yet.
 */
export const ClusterView = z.object({
  name: z.string(),
  engine: z.string(),
  controller: z.string().exactOptional(),
  /** When it was reported, in milliseconds since the epoch. */
  at: z.number().exactOptional(),
  /** False where the configuration does not have it any more. */
  declared: z.boolean(),
  owners: z.array(OwnerView),
  /** What entries have on it that are not declared there any more. */
  orphans: z.array(
    z.object({ owner: z.string(), resources: z.array(z.string()), pods: z.number() }),
  ),
  /** Of engine swarm. */
  fleet: FleetView.exactOptional(),
  /** Why the cluster cannot be reached. */
  error: z.string().exactOptional(),
});
export type ClusterView = z.infer<typeof ClusterView>;

export const ClusterList = z.object({ clusters: z.array(ClusterView) });
export type ClusterList = z.infer<typeof ClusterList>;

/** `Deployment/web`. */
export const WorkloadName = z
  .string()
  .regex(/^[A-Z][A-Za-z]*\/[^/]+$/, 'must be Kind/name, e.g. Deployment/web');

/** `Deployment/shop/web` of `Deployment/web` in the namespace `shop`. */
export function workloadKey({
  workload,
  namespace,
}: {
  workload: string;
  namespace: string;
}): ResourceKey {
  const [kind, name] = workload.split('/');
  return `${kind}/${namespace}/${name}`;
}

/** `GET /api/v1/clusters/:name/logs?workload=Deployment/web&namespace=&container=&follow=1&tail=`. */
export const WorkloadLogQuery = z.strictObject({
  workload: WorkloadName,
  namespace: z.string().default('default'),
  container: z.string().exactOptional(),
  follow: z.enum(['0', '1']).default('0'),
  tail: z.coerce.number().int().min(0).exactOptional(),
});
export type WorkloadLogQuery = z.infer<typeof WorkloadLogQuery>;

/** A line of it (NDJSON). */
export const WorkloadLogEvent = z.object({
  pod: z.string(),
  container: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  line: z.string(),
});
export type WorkloadLogEvent = z.infer<typeof WorkloadLogEvent>;
