import { z } from 'zod';
import type { Loss } from '#core/swarm/simulate/lose.ts';
import type { Uneven } from '#core/swarm/simulate/rebalance.ts';

/** `GET /api/v1/clusters/:name/simulate?lose=s1,s2`: what would happen without these servers. */
export const SimulateQuery = z.strictObject({
  lose: z.string().regex(/^[^,\s]+(,[^,\s]+)*$/, 'must be names of servers: s1,s2'),
});

/** An estimate: where servers are alike, Swarm takes any of them. */
export const LossAnswer: z.ZodType<Loss> = z.object({
  lost: z.array(
    z.object({
      server: z.string(),
      role: z.enum(['manager', 'worker']),
      /** It is down as it is: what can be moved has been. */
      isDown: z.boolean(),
      isLeader: z.boolean(),
    }),
  ),
  /** Of the managers. Without quorum nothing is moved, and what runs elsewhere goes on. */
  quorum: z.object({
    managers: z.number(),
    needed: z.number(),
    /** That answer now, and that would then. */
    before: z.number(),
    after: z.number(),
    holds: z.boolean(),
  }),
  services: z.array(
    z.object({
      /** Key of a resource; of what Windlass did not make its name. */
      service: z.string(),
      owner: z.string().exactOptional(),
      kind: z.enum(['replicated', 'global', 'job']),
      /** All its tasks, and those that go on as if nothing had happened. */
      tasks: z.number(),
      unharmed: z.number(),
      moves: z.array(z.object({ slot: z.string(), from: z.string(), to: z.string() })),
      /** What fits nowhere, with a reason for each server that is left. */
      stuck: z.array(
        z.object({
          slot: z.string(),
          from: z.string(),
          why: z.array(z.object({ server: z.string(), why: z.string() })),
        }),
      ),
    }),
  ),
  servers: z.array(
    z.object({
      server: z.string(),
      tasks: z.object({ before: z.number(), after: z.number() }),
      /** Not reserved by anything then. */
      free: z.object({ nanoCpus: z.number(), memoryBytes: z.number() }),
    }),
  ),
});
export type LossAnswer = z.infer<typeof LossAnswer>;

const UnevenView: z.ZodType<Uneven> = z.object({
  service: z.string(),
  owner: z.string(),
  /** So many replicas more until they are ready, and then as many less. */
  surplus: z.number(),
  before: z.record(z.string(), z.number()),
  after: z.record(z.string(), z.number()),
});

/** `GET /api/v1/clusters/:name/rebalance`: what servers have unevenly, and how they would have it. An estimate. */
export const RebalancePlan = z.object({ uneven: z.array(UnevenView) });
export type RebalancePlan = z.infer<typeof RebalancePlan>;

/** `POST /api/v1/clusters/:name/rebalance`: spreads those of the plan anew, one after the other. */
export const RebalanceRequest = z.strictObject({
  /** Keys of resources, e.g. `Deployment/default/web`. */
  services: z.array(z.string()).min(1),
  reason: z.string().max(500).exactOptional(),
});
export type RebalanceRequest = z.infer<typeof RebalanceRequest>;
