import type { ReadinessProbe } from '#core/docker/world.ts';
import { labelsOf } from './containers.ts';
import type { InspectedContainer } from './inspected.ts';
import { LABEL } from './marks.ts';
import type { Probed } from './prober.ts';

/** What to probe of a running container; absent where it has no probe. */
export function probeTarget(
  container: InspectedContainer,
  { address, served }: Pick<Probed, 'address' | 'served'>,
): Probed | undefined {
  const probe = probeOf(container);
  if (probe === undefined) return undefined;
  const startedAt = Date.parse(container.State.StartedAt);
  return { key: probeKey(container), address, startedAt, probe, served };
}

export function probeOf(container: InspectedContainer): ReadinessProbe | undefined {
  const label = labelsOf(container)[LABEL.probe];
  return label === undefined ? undefined : (JSON.parse(label) as ReadinessProbe);
}

/** Of one run of a container: a restart makes it another. */
export function probeKey({ Id, State }: InspectedContainer): string {
  return `${Id} ${State.StartedAt}`;
}
