import { ordinalsOf, setPodName } from '#core/docker/set-pods.ts';
import type { Workload } from '#core/docker/workload.ts';
import type { FieldPath } from '#core/field-path.ts';

/** A pod's name is its hostname too. */
const LONGEST_NAME = 63;

/** What of a StatefulSet the schema cannot tell; `named` are the keys of everything in the manifests. */
export function checkStatefulSet(
  workload: Workload,
  named: ReadonlySet<string>,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  const { metadata, set } = workload;
  if (set === undefined) return;
  const pods = ordinalsOf(workload, set).map((ordinal) => setPodName(workload, ordinal));
  const namespace = metadata.namespace ?? 'default';
  const taken = pods.find((pod) => named.has(`Pod/${namespace}/${pod}`));
  if (taken !== undefined)
    report(['metadata', 'name'], `it makes a pod ${taken}, and there is a Pod of that name`);
  const last = pods.at(-1) ?? '';
  if (last.length > LONGEST_NAME)
    report(
      ['metadata', 'name'],
      `${last} is longer than the ${LONGEST_NAME} characters that a pod's hostname may have`,
    );
  set.claims.forEach((claim, index) => {
    if (set.claims.indexOf(claim) !== index)
      report(
        ['spec', 'volumeClaimTemplates', index, 'metadata', 'name'],
        `${claim} is there twice`,
      );
  });
}
