import type { Command } from 'commander';
import { LossAnswer } from '#core/api/fleet.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { isHarmful, lossLines } from '../format/loss.ts';

interface SimulateOptions extends JsonOption {
  lose: string[];
}

const HARM_EXIT_CODE = 2;

export function simulateCommand(context: CliContext): Command {
  return describeCommand(
    'simulate',
    'tell what would happen if servers were lost: what moves where, what would run nowhere (exit code 2), whether quorum holds',
    ['windlass simulate --lose s3', 'windlass simulate fleet --lose s1 s2 --json'],
  )
    .argument('[cluster]', 'may be left out where there is one')
    .requiredOption('--lose <server...>', 'servers as the file of the cluster calls them')
    .action(async (cluster: string | undefined, options: SimulateOptions) =>
      simulate(context, cluster, options),
    );
}

async function simulate(
  context: CliContext,
  cluster: string | undefined,
  { lose, json = false }: SimulateOptions,
): Promise<void> {
  const client = await connect(context);
  const path = apiPath(['clusters', await findCluster(client, cluster), 'simulate']);
  const query = String(new URLSearchParams({ lose: lose.join(',') }));
  const loss = await client.get(`${path}?${query}`, LossAnswer);
  if (isHarmful(loss)) context.setExitCode(HARM_EXIT_CODE);
  if (json) return context.out(JSON.stringify(loss));
  for (const line of lossLines(loss, painter(context.colour))) context.out(line);
}
