import type { OwnerKey } from '#core/owner.ts';
import { needsProbes } from '#core/swarm/health-check.ts';
import { stepName } from '#core/swarm/traffic.ts';
import type { ServerStep, SwarmWorld } from '#core/swarm/world.ts';

/** Every server has what asks its tasks before the first service that needs it is there. */
export function placeProbes(
  wanted: readonly { owner: OwnerKey; spec: unknown }[],
  { services, proxies }: Pick<SwarmWorld, 'services' | 'proxies'>,
): Extract<ServerStep, { kind: 'placeProbes' }>[] {
  const needing = [...services, ...wanted].filter(({ spec }) => needsProbes(spec));
  const owners = [...new Set(needing.map(({ owner }) => owner))];
  if (owners.length === 0) return [];
  return proxies
    .filter(({ probes }) => probes !== true)
    .map(({ node }) => ({ kind: 'placeProbes' as const, node, owners }))
    .filter((step) =>
      proxies.every(
        ({ node, leftAside = [] }) => node !== step.node || !leftAside.includes(stepName(step)),
      ),
    );
}
