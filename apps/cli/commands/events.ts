import type { Command } from 'commander';
import { ClusterList } from '#core/api/cluster.ts';
import { EventLine } from '#core/api/event.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { eventLine } from '../format/event.ts';
import { parseLines } from '../parse-lines.ts';
import { parseWorkload } from '../workload.ts';

interface EventsOptions extends JsonOption {
  cluster?: string;
  workload?: string;
  namespace: string;
  limit: string;
  follow?: boolean;
}

type Told = EventLine & { cluster: string };

export function eventsCommand(context: CliContext): Command {
  return describeCommand('events', 'tell what happened on the clusters and why, newest last', [
    'windlass events -f',
    'windlass events shop/production --limit 20',
    'windlass events -w deployment/web -n shop',
  ])
    .argument('[owner]', 'of this pipeline, or deploy entry as pipeline/entry')
    .option('-w, --workload <kind/name>', 'of this workload, e.g. deployment/web', parseWorkload)
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', 'of this cluster only')
    .option('--limit <events>', 'at most so many of the last', parseLines, '50')
    .option('-f, --follow', 'go on as they come')
    .action(async (owner: string | undefined, options: EventsOptions) =>
      printEvents(context, owner, options),
    );
}

async function printEvents(
  context: CliContext,
  owner: string | undefined,
  options: EventsOptions,
): Promise<void> {
  const client = await connect(context);
  const clusters = await clusterNames(client, options.cluster);
  const { workload, namespace, limit } = options;
  function read(cluster: string, more: Record<string, string>): AsyncGenerator<EventLine, void> {
    const query = { owner, workload, namespace, limit, ...more };
    return client.stream(apiPath(['clusters', cluster, 'events'], query), EventLine);
  }
  function print(event: Told): void {
    const line = eventLine(event, { paint: painter(context.colour), many: clusters.length > 1 });
    context.out(options.json ? JSON.stringify(event) : line);
  }
  if (options.follow) {
    await Promise.all(
      clusters.map(async (cluster) => {
        for await (const event of read(cluster, { follow: '1' })) print({ ...event, cluster });
      }),
    );
    return;
  }
  const told: Told[] = [];
  for (const cluster of clusters) {
    for await (const event of read(cluster, {})) told.push({ ...event, cluster });
  }
  const newest = told.toSorted((one, other) => one.at - other.at).slice(-Number(limit));
  for (const event of newest) print(event);
  if (newest.length === 0) context.note('nothing has happened yet');
}

async function clusterNames(client: ApiClient, named: string | undefined): Promise<string[]> {
  if (named !== undefined) return [named];
  const { clusters } = await client.get(apiPath(['clusters']), ClusterList);
  return clusters.map(({ name }) => name);
}
