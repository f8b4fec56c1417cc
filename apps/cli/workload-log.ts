import { WorkloadLogEvent } from '#core/api/cluster.ts';
import { findCluster } from './find-cluster.ts';
import { apiPath } from './client.ts';
import type { ApiClient } from './client.ts';
import type { CliContext } from './context.ts';
import { painter } from './format/colour.ts';
import { printedLine } from './format/terminal.ts';

interface WorkloadLog {
  workload: string;
  namespace: string;
  cluster?: string;
  container?: string;
  tail?: string;
  follow: boolean;
  json: boolean;
}

/** Prints what the pods of a workload print, each line with its pod. */
export async function printWorkloadLog(
  context: CliContext,
  client: ApiClient,
  options: WorkloadLog,
): Promise<void> {
  const { workload, namespace, container, tail } = options;
  const cluster = await findCluster(client, options.cluster);
  const follow = options.follow ? '1' : undefined;
  const query = { workload, namespace, container, tail, follow };
  const path = apiPath(['clusters', cluster, 'logs'], query);
  const paint = painter(context.colour);
  for await (const event of client.stream(path, WorkloadLogEvent)) {
    const source = paint('dim', `${event.pod} ${event.container} |`);
    context.out(
      options.json ? JSON.stringify(event) : `${source} ${printedLine(event.line, context.colour)}`,
    );
  }
}
