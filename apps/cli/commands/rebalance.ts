import type { Command } from 'commander';
import { ClusterList } from '#core/api/cluster.ts';
import { RebalancePlan } from '#core/api/fleet.ts';
import type { RebalanceRequest } from '#core/api/fleet.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { tableLines } from '../format/table.ts';

interface RebalanceOptions extends JsonOption {
  yes?: boolean;
  reason?: string;
}

const NOT_DONE_EXIT_CODE = 2;

export function rebalanceCommand(context: CliContext): Command {
  return describeCommand(
    'rebalance',
    'spread over the servers anew what they have unevenly, as after one came back; one workload after the other',
    ['windlass rebalance', 'windlass rebalance shop/production --yes'],
  )
    .argument(
      '[cluster|owner]',
      'a cluster or a deploy entry as pipeline/entry; may be left out where there is one cluster',
    )
    .option('--yes', 'do it; without, it is only told what would be spread')
    .option('--reason <text>', 'what for; `by-hand.json` has it')
    .action(async (target: string | undefined, options: RebalanceOptions) =>
      rebalance(context, target, options),
    );
}

async function rebalance(
  context: CliContext,
  target: string | undefined,
  { yes = false, reason, json = false }: RebalanceOptions,
): Promise<void> {
  const client = await connect(context);
  const owner = target?.includes('/') === true ? target : undefined;
  const cluster =
    owner === undefined ? await findCluster(client, target) : await clusterOf(client, owner);
  const path = apiPath(['clusters', cluster, 'rebalance']);
  const plan = await client.get(path, RebalancePlan);
  const uneven = plan.uneven.filter((each) => owner === undefined || each.owner === owner);
  const isDone = yes && uneven.length > 0;
  if (isDone) {
    const request: RebalanceRequest = {
      services: uneven.map(({ service }) => service),
      ...(reason === undefined ? {} : { reason }),
    };
    await client.post(path, request, RebalancePlan);
  }
  if (json) context.out(JSON.stringify({ uneven, rebalancing: isDone }));
  else for (const line of planText(uneven)) context.out(line);
  if (isDone) context.note('they are spread anew, one after the other: `windlass status` tells');
  if (isDone || uneven.length === 0) return;
  context.setExitCode(NOT_DONE_EXIT_CODE);
  context.note('nothing was done: add --yes to do it');
}

async function clusterOf(client: ApiClient, owner: string): Promise<string> {
  const { clusters } = await client.get(apiPath(['clusters']), ClusterList);
  const found = clusters.find(({ owners }) => owners.some((each) => each.owner === owner));
  if (found !== undefined) return found.name;
  throw new UserError('not-found', `there is no deploy entry ${owner}`, {
    hint: '`windlass status` lists them',
  });
}

function planText(uneven: RebalancePlan['uneven']): string[] {
  if (uneven.length === 0) return ['everything is spread evenly'];
  return tableLines(
    ['WORKLOAD', 'OF', 'NOW', 'THEN', 'MOVES'],
    uneven.map(({ service, owner, before, after, surplus }) => [
      displayKey(service),
      owner,
      countsText(before),
      countsText(after),
      String(surplus),
    ]),
  );
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))
    .map(([server, count]) => `${server} ${count}`)
    .join(', ');
}
