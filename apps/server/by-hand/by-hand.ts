import type { z } from 'zod';
import type {
  ByHandAnswer,
  DeleteAnswer,
  RestartRequest,
  ScaleRequest,
} from '#core/api/by-hand.ts';
import type { AllByHand, Note } from '#core/by-hand/by-hand.ts';
import { entryName } from '#core/declarations/pipeline.ts';
import { UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { ClusterStatus } from '#core/ports.ts';
import type { Uneven } from '#core/swarm/simulate/rebalance.ts';
import { closedText, windowState } from '#core/windows/window-state.ts';
import type { WindowState } from '#core/windows/window-state.ts';
import { deletePipeline } from './delete-pipeline.ts';
import type { DeleteDependencies } from './delete-pipeline.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { ByHandStore } from './store.ts';
import { chooseUneven, rebalance } from './rebalance.ts';
import { restart, scale } from './workloads.ts';
import type { WorkloadDependencies } from './workloads.ts';

interface Entry {
  pipeline: string;
  entry: string;
}

/** What people do to deploy entries beside git: recorded first, then told to whoever controls the cluster. */
export interface ByHandActions {
  all(): AllByHand;
  /** Lets the deletions of `release` pass that wait now. */
  confirm(entry: Entry, release: string, note: Note): Promise<ByHandAnswer>;
  suspend(entry: Entry, note: Note): Promise<ByHandAnswer>;
  resume(entry: Entry): Promise<ByHandAnswer>;
  /** Lets deploys begin in spite of the entry's windows. */
  open(entry: Entry, forSeconds: number, note: Note): Promise<ByHandAnswer>;
  scale(cluster: string, wanted: z.output<typeof ScaleRequest>, note: Note): Promise<ByHandAnswer>;
  restart(
    cluster: string,
    wanted: z.output<typeof RestartRequest>,
    note: Note,
  ): Promise<ByHandAnswer>;
  /** Spreads those services of the plan over the servers anew. */
  rebalance(plan: readonly Uneven[], services: readonly string[], note: Note): Promise<Uneven[]>;
  /** Removes what nobody declares any more; without `cascade` it only tells what that is. */
  remove(wanted: Parameters<typeof deletePipeline>[0], note: Note): Promise<DeleteAnswer>;
}

export type ByHandDependencies = DeleteDependencies & WorkloadDependencies;

export function createByHandActions(dependencies: ByHandDependencies): ByHandActions {
  const { store, shared, pipelines } = dependencies;

  async function change(
    owner: OwnerKey,
    to: Parameters<ByHandStore['change']>[1],
  ): Promise<ByHandAnswer> {
    const byHand = await store.change(owner, to);
    await shared.ringByHand();
    return { owner, byHand };
  }

  async function statusOf(owner: OwnerKey): Promise<ClusterStatus['owners']> {
    const names = Object.keys(pipelines.clusters());
    const statuses = await Promise.all(names.map((name) => shared.clusterStatus(name)));
    return statuses
      .flatMap((status) => status?.owners ?? [])
      .filter((each) => each.owner === owner);
  }

  return {
    all: () => store.all(),
    async suspend(entry, note) {
      await checkDeclared(entry, pipelines);
      return change(ownerKey(entry.pipeline, entry.entry), (before) =>
        before.suspended === undefined ? { ...before, suspended: note } : before,
      );
    },
    async resume({ pipeline, entry }) {
      const owner = ownerKey(pipeline, entry);
      if (store.all()[owner]?.suspended === undefined)
        throw new UserError('conflict', `${owner} is not suspended`);
      return change(owner, (before) => {
        const { suspended: _, ...others } = before;
        return others;
      });
    },
    async open(entry, forSeconds, note) {
      await checkDeclared(entry, pipelines);
      const known = await pipelines.find(entry.pipeline);
      const deploy = known?.pipeline.spec.deploy.find((each) => entryName(each) === entry.entry);
      const owner = ownerKey(entry.pipeline, entry.entry);
      checkMayOpen(owner, windowState(deploy?.windows ?? [], note.at));
      const opened = { ...note, until: note.at + forSeconds * 1_000 };
      return change(owner, (before) => ({ ...before, opened }));
    },
    async scale(cluster, wanted, note) {
      const { owner, to, autoscaler } = await scale(cluster, wanted, note, dependencies);
      const answer = await change(owner, to);
      return autoscaler === undefined ? answer : { ...answer, autoscaler };
    },
    async restart(cluster, wanted, note) {
      const { owner, to } = await restart(cluster, wanted, note, dependencies);
      return change(owner, to);
    },
    async rebalance(plan, services, note) {
      const chosen = chooseUneven(plan, services);
      for (const [owner, some] of Map.groupBy(chosen, (each) => each.owner))
        await change(owner, await rebalance(owner, some, note, dependencies));
      return chosen;
    },
    remove: (wanted, note) => deletePipeline(wanted, note, dependencies),
    async confirm({ pipeline, entry }, release, note) {
      const owner = ownerKey(pipeline, entry);
      const [status] = await statusOf(owner);
      if (status === undefined || status.held.length === 0)
        throw new UserError('conflict', `no deletion waits on ${owner}`, {
          hint: '`windlass status` tells what waits',
        });
      if (status.release !== release)
        throw new UserError('conflict', `${release} is not what ${owner} wants now`, {
          hint: `its release is ${status.release}: look again at what would be deleted`,
        });
      return change(owner, (before) => ({ ...before, confirmed: { ...note, release } }));
    },
  };
}

function checkMayOpen(owner: OwnerKey, state: WindowState): void {
  if (state.isOpen) throw new UserError('conflict', `deploys of ${owner} may begin anyway`);
  if (state.mayOverride) return;
  throw new UserError('conflict', `${owner}: ${closedText(state)}`, {
    hint: 'one of these windows says override: false',
  });
}

async function checkDeclared(
  { pipeline, entry }: Entry,
  pipelines: Pick<KnownPipelines, 'find'>,
): Promise<void> {
  const known = await pipelines.find(pipeline);
  const entries = known?.pipeline.spec.deploy.map(entryName) ?? [];
  if (entries.includes(entry)) return;
  throw new UserError('not-found', `there is no deploy entry ${ownerKey(pipeline, entry)}`, {
    hint:
      entries.length === 0 ? '`windlass status` lists them' : `there are: ${entries.join(', ')}`,
  });
}
