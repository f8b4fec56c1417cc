import type { DesiredState } from '#core/engine.ts';
import { InvalidFiles } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';

const DEFAULT_PROGRESS_SECONDS = 600;
/** Beside the pods' own deadline: time for the cluster to be reached and for old pods to end. */
const MARGIN_SECONDS = 60;

/** The desired state that a release's manifests (path to text, Secrets opened) describe. */
export async function readDesired(
  owner: OwnerKey,
  release: string,
  read: () => Promise<Record<string, string>>,
): Promise<DesiredState> {
  const files = Object.entries(await read()).map(([path, text]) => ({ path, text }));
  const { resources, problems } = parseManifests(files);
  if (problems.length > 0) throw new InvalidFiles(problems);
  return { owner, release, resources };
}

/**
 * How long a deploy may take at most: the longest `progressDeadlineSeconds` of its Deployments or
 * `activeDeadlineSeconds` of its Pods and Jobs, and a margin.
 */
export function deadlineMsOf(desired: DesiredState): number {
  const seconds = desired.resources.map(progressSeconds);
  return (Math.max(DEFAULT_PROGRESS_SECONDS, ...seconds) + MARGIN_SECONDS) * 1_000;
}

function progressSeconds(resource: Resource): number {
  const spec = resource['spec'] as
    | { progressDeadlineSeconds?: unknown; activeDeadlineSeconds?: unknown }
    | undefined;
  const seconds = spec?.progressDeadlineSeconds ?? spec?.activeDeadlineSeconds;
  return typeof seconds === 'number' ? seconds : 0;
}
