import type { Probes } from '#core/docker/world.ts';
import { labelsOf } from './containers.ts';
import type { InspectedContainer } from './inspected.ts';
import { LABEL } from './marks.ts';
import type { Probed } from './prober.ts';

/** What to probe of a running container; absent where it has no probe. */
export function probeTarget(
  container: InspectedContainer,
  where: Pick<Probed, 'address' | 'served' | 'startedAt' | 'hostSandbox'>,
): Probed | undefined {
  const probes = probesOf(container);
  if (Object.keys(probes).length === 0) return undefined;
  return { key: probeKey(container), id: container.Id, probes, ...where };
}

export function probesOf(container: InspectedContainer): Probes {
  return JSON.parse(labelsOf(container)[LABEL.probes] ?? '{}') as Probes;
}

/** Of one run of a container: a restart makes it another. */
export function probeKey({ Id, State }: InspectedContainer): string {
  return `${Id} ${State.StartedAt}`;
}
