import type { Command } from 'commander';
import { ClusterList, ClusterView } from '#core/api/cluster.ts';
import { ProblemList } from '#core/api/problem.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { clusterLines } from '../format/cluster.ts';
import { painter } from '../format/colour.ts';
import { problemLines } from '../format/problem.ts';

export function statusCommand(context: CliContext): Command {
  return describeCommand(
    'status',
    'tell what runs on the clusters and how it is, and what is wrong',
    ['windlass status', 'windlass status local --json'],
  )
    .argument('[cluster]', 'of this cluster only')
    .action(async (cluster: string | undefined, options: JsonOption) =>
      printStatus(context, cluster, options),
    );
}

async function printStatus(
  context: CliContext,
  name: string | undefined,
  options: JsonOption,
): Promise<void> {
  const client = await connect(context);
  const [list, { problems }] = await Promise.all([
    readClusters(client, name),
    client.get(apiPath(['problems']), ProblemList),
  ]);
  if (options.json) {
    context.out(JSON.stringify({ ...list, problems }));
    return;
  }
  const paint = painter(context.colour);
  for (const line of problemLines(problems, paint, context.now())) context.out(line);
  if (list.clusters.length === 0) context.out('no clusters are declared');
  list.clusters.forEach((cluster, index) => {
    if (index > 0) context.out('');
    for (const line of clusterLines(cluster, paint, context.now())) context.out(line);
  });
}

async function readClusters(client: ApiClient, name: string | undefined): Promise<ClusterList> {
  if (name === undefined) return client.get(apiPath(['clusters']), ClusterList);
  return { clusters: [await client.get(apiPath(['clusters', name, 'workloads']), ClusterView)] };
}
