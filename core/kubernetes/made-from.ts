import type { PodMade } from '#core/engine.ts';
import { fieldsOf, listAt, textAt } from '#core/kubernetes/status-fields.ts';
import type { Fields } from '#core/kubernetes/status-fields.ts';
import type { Resource } from '#core/resources/resource.ts';

/** Between the clocks of the server and of the cluster. */
const CLOCK_DIFFERENCE_MS = 5_000;

/** A workload as a release has it. */
interface Version {
  /** When it was released, in milliseconds since the epoch. */
  at: number;
  resource: Resource;
}

/**
 * Whether a pod may have been made from it: by the images of its containers, and by when both were made. Of several
 * versions the newest one is meant. All else of a pod may have been filled in or altered by the cluster.
 */
export function mayBeMadeFrom({ images, at }: PodMade, version: Version): boolean {
  if (version.at > at + CLOCK_DIFFERENCE_MS) return false;
  const containers = containersIn(podSpecOf(version.resource));
  return (
    containers.length > 0 &&
    containers.every((each) => images[textAt(each, 'name')] === textAt(each, 'image'))
  );
}

/** The images of a pod, by container. */
export function imagesOf(podSpec: Fields): Record<string, string> {
  return Object.fromEntries(
    containersIn(podSpec).map((each) => [textAt(each, 'name'), textAt(each, 'image')]),
  );
}

function containersIn(podSpec: Fields): Fields[] {
  return [...listAt(podSpec, 'initContainers'), ...listAt(podSpec, 'containers')];
}

function podSpecOf({ kind, ...resource }: Resource): Fields {
  const spec = fieldsOf(resource['spec']);
  if (kind === 'Pod') return spec;
  const keeper = kind === 'CronJob' ? fieldsOf(fieldsOf(spec['jobTemplate'])['spec']) : spec;
  return fieldsOf(fieldsOf(keeper['template'])['spec']);
}
