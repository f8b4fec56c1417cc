import type { Cluster } from '#core/declarations/cluster.ts';
import { acceptResources } from '#core/docker/accepts.ts';
import type { Problem } from '#core/errors.ts';
import { HELM_HOOK, hookNote } from '#core/kubernetes/hook-annotations.ts';
import type { ParsedManifests } from '#core/resources/parse.ts';
import { keyOf } from '#core/resources/resource.ts';
import { acceptForSwarm } from '#core/swarm/accept.ts';
import { problemAt } from '#core/zod-problems.ts';

export type EngineName = Cluster['spec']['engine'];
type Manifests = Pick<ParsedManifests, 'resources' | 'origins'>;

const ACCEPT: Readonly<Record<EngineName, (manifests: Manifests) => Problem[]>> = {
  docker: (manifests) => [...acceptResources(manifests), ...refuseHooks(manifests, 'docker')],
  swarm: (manifests) => [...acceptForSwarm(manifests), ...refuseHooks(manifests, 'swarm')],
  // The cluster says so itself, with the definitions and the admission that it has.
  kubernetes: () => [],
};

/** Applied as all else they would run at the wrong time. */
function refuseHooks({ resources, origins }: Manifests, engine: EngineName): Problem[] {
  return resources.flatMap((resource) => {
    const note = hookNote(resource);
    const origin = origins.get(keyOf(resource));
    if (note === undefined || origin === undefined) return [];
    const path = ['metadata', 'annotations', note];
    const message = `the ${engine} engine runs no hooks`;
    const hint =
      note === HELM_HOOK
        ? 'hooks: false in the deploy entry leaves out those of a chart'
        : 'leave it out of what goes to this cluster, or name one with engine kubernetes';
    return [problemAt({ ...origin, path, message, hint })];
  });
}

/** Everything in the manifests that the engine cannot run as Kubernetes would, with its place. */
export function acceptFor(engine: EngineName, manifests: Manifests): Problem[] {
  return ACCEPT[engine](manifests);
}
