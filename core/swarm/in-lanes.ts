import type { ServerProxies, SwarmStep } from '#core/swarm/world.ts';

const RECORDS = new Set<SwarmStep['kind']>(['record']);
const PROBES = new Set<SwarmStep['kind']>(['placeProbes']);
const FILES = new Set<SwarmStep['kind']>(['createFile']);
const SERVICES = new Set<SwarmStep['kind']>(['createService', 'updateService']);

/** Steps that stand beside each other, some at once. */
type Batch = readonly SwarmStep[];
/** Batches one after the other. */
export type Lane = readonly Batch[];

/**
 * Stages one after the other, of lanes beside each other. Records come before what they promise, and files and what asks
 * tasks before the services that mount them. Neither services nor the proxies of servers wait for the other, nor one server
 * for another; but nothing ends before traffic is led away from it. Where no server has a proxy yet, the first pods wait for
 * those: names are answered when they start, and the proxies need not be made beside all that starts at once.
 */
export function inLanes(
  steps: readonly SwarmStep[],
  proxies: readonly Pick<ServerProxies, 'proxy'>[],
): readonly (readonly Lane[])[] {
  const records = steps.filter(({ kind }) => RECORDS.has(kind));
  const files = steps.filter(({ kind }) => FILES.has(kind));
  const services = steps.filter(({ kind }) => SERVICES.has(kind));
  const probes = steps.filter(({ kind }) => PROBES.has(kind));
  const traffic = steps.filter((step) => 'node' in step && !PROBES.has(step.kind));
  const known = new Set([...records, ...probes, ...files, ...services, ...traffic]);
  const byServer = Map.groupBy(traffic, (step) => ('node' in step ? step.node : ''));
  const servers = [...byServer.values()].map((some) => some.map((step) => [step]));
  const others = steps.filter((step) => !known.has(step));
  const isFirst = proxies.every(({ proxy }) => proxy === undefined);
  return [
    isFirst ? [[records], ...servers] : [[records]],
    probes.map((step) => [[step]]),
    isFirst ? [[files, services]] : [[files, services], ...servers],
    [others.map((step) => [step])],
  ];
}
