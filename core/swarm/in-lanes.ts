import type { SwarmStep } from '#core/swarm/world.ts';

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
 * tasks before the services that mount them. Neither services nor the proxies of servers wait for the other, nor one server for another; but
 * nothing ends before traffic is led away from it.
 */
export function inLanes(steps: readonly SwarmStep[]): readonly (readonly Lane[])[] {
  const records = steps.filter(({ kind }) => RECORDS.has(kind));
  const files = steps.filter(({ kind }) => FILES.has(kind));
  const services = steps.filter(({ kind }) => SERVICES.has(kind));
  const probes = steps.filter(({ kind }) => PROBES.has(kind));
  const traffic = steps.filter((step) => 'node' in step && !PROBES.has(step.kind));
  const known = new Set([...records, ...probes, ...files, ...services, ...traffic]);
  const servers = Map.groupBy(traffic, (step) => ('node' in step ? step.node : ''));
  const others = steps.filter((step) => !known.has(step));
  return [
    [[records]],
    probes.map((step) => [[step]]),
    [[files, services], ...[...servers.values()].map((some) => some.map((step) => [step]))],
    [others.map((step) => [step])],
  ];
}
