import type { LiveRecord } from '#core/docker/world.ts';

/** What a Service was given, and keeps. */
export function given({
  clusterIp,
  nodePorts,
}: {
  clusterIp?: string | undefined;
  nodePorts?: Record<string, number> | undefined;
}): Pick<LiveRecord, 'clusterIp' | 'nodePorts'> {
  return {
    ...(clusterIp === undefined ? {} : { clusterIp }),
    ...(nodePorts === undefined ? {} : { nodePorts }),
  };
}
