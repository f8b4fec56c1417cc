import type { z } from 'zod';
import type { RestartRequest, ScaleRequest } from '#core/api/by-hand.ts';
import { workloadKey } from '#core/api/cluster.ts';
import type { ByHand, Note } from '#core/by-hand/by-hand.ts';
import { replicasOf, templateOf } from '#core/by-hand/overrides.ts';
import { autoscalerKey, autoscalersIn, targetOf } from '#core/docker/keep-autoscalers.ts';
import { UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { SharedState } from '#core/ports.ts';
import { displayKey } from '#core/present/display.ts';
import { parseManifests } from '#core/resources/parse.ts';
import { keyOf } from '#core/resources/resource.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import type { Releases } from '../releases/releases.ts';
import { checkNotSuspended } from './suspension.ts';
import type { ByHandStore } from './store.ts';

export interface WorkloadDependencies {
  store: ByHandStore;
  shared: Pick<SharedState, 'clusterStatus'>;
  releases: Pick<Releases, 'head' | 'sealed'>;
  now: () => number;
}

const SCALED = ['Deployment', 'StatefulSet'];

interface Change {
  owner: OwnerKey;
  to: (before: ByHand) => ByHand;
}

/**
 * Another number of replicas than git's, or than a HorizontalPodAutoscaler's, until its end or the next release; without
 * `replicas` theirs again.
 */
export async function scale(
  cluster: string,
  { replicas, forSeconds, ...wanted }: Omit<z.output<typeof ScaleRequest>, 'reason'>,
  note: Note,
  dependencies: WorkloadDependencies,
): Promise<Change & { autoscaler?: ResourceKey }> {
  const { owner, release, resource, resources } = await findWorkload(cluster, wanted, dependencies);
  const key = keyOf(resource);
  if (!SCALED.includes(resource.kind))
    throw new UserError('unsupported', `${displayKey(key)} has no replicas`, {
      hint: `${SCALED.join(', ')} can be scaled`,
    });
  const autoscaler = autoscalersIn(resources).find((each) => targetOf(each) === key);
  const isGits =
    replicas === undefined || (replicas === replicasOf(resource) && autoscaler === undefined);
  const scaled = isGits
    ? []
    : [{ ...note, resource: key, replicas, until: note.at + forSeconds * 1_000, release }];
  const now = dependencies.now();
  return {
    owner,
    ...(autoscaler === undefined ? {} : { autoscaler: autoscalerKey(autoscaler) }),
    to: ({ scaled: before = [], ...others }) => {
      // What has ended is not kept for ever.
      const current = before.filter((each) => each.until > now && each.release === release);
      const next = [...current.filter((each) => each.resource !== key), ...scaled];
      return next.length === 0 ? others : { ...others, scaled: next };
    },
  };
}

/** New pods in the place of all there are. */
export async function restart(
  cluster: string,
  wanted: Omit<z.output<typeof RestartRequest>, 'reason'>,
  note: Note,
  dependencies: WorkloadDependencies,
): Promise<Change> {
  const { owner, resource, resources } = await findWorkload(cluster, wanted, dependencies);
  const key = keyOf(resource);
  const templates = new Map(resources.map((each) => [keyOf(each), templateOf(each)]));
  const restarted = { ...note, resource: key, template: templateOf(resource) };
  return {
    owner,
    to: ({ restarted: before = [], ...others }) => ({
      ...others,
      restarted: [
        ...before.filter(
          (each) => each.resource !== key && templates.get(each.resource) === each.template,
        ),
        restarted,
      ],
    }),
  };
}

interface Found {
  owner: OwnerKey;
  release: string;
  resource: Resource;
  resources: Resource[];
}

/** The workload as its owner's newest release has it. */
async function findWorkload(
  cluster: string,
  wanted: { workload: string; namespace: string },
  { store, shared, releases }: WorkloadDependencies,
): Promise<Found> {
  const key = workloadKey(wanted);
  const status = await shared.clusterStatus(cluster);
  const owner = status?.owners.find(({ resources }) =>
    resources.some((resource) => resource.key === key),
  )?.owner;
  if (owner === undefined) throw notThere(key, cluster);
  const [pipeline = '', entry = ''] = owner.split('/');
  checkNotSuspended(store, pipeline, entry);
  const head = await releases.head(pipeline, entry);
  const sealed = head === undefined ? {} : await releases.sealed(pipeline, head.commit);
  const files = Object.entries(sealed).map(([path, text]) => ({ path, text }));
  const { resources } = parseManifests(files);
  const resource = resources.find((each) => keyOf(each) === key);
  if (head === undefined || resource === undefined) throw notThere(key, cluster);
  if (templateOf(resource) === '')
    throw new UserError('unsupported', `${displayKey(key)} keeps no pods`, {
      hint: 'name a workload, e.g. Deployment/web',
    });
  return { owner, release: head.commit, resource, resources };
}

function notThere(key: string, cluster: string): UserError {
  return new UserError('not-found', `there is no ${displayKey(key)} on cluster ${cluster}`, {
    hint: '`windlass status` lists what there is; -n names another namespace',
  });
}
