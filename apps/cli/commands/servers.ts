import type { Command } from 'commander';
import { RecoverAnswer, ServersAnswer } from '#core/api/servers.ts';
import { displayText } from '#core/present/display.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { fleetLines } from '../format/fleet.ts';
import { formatAge } from '../format/time.ts';

const NOT_DONE_EXIT_CODE = 2;

interface RecoverOptions extends JsonOption {
  from: string;
  yes?: boolean;
}

export function serversCommand(context: CliContext): Command {
  const recover = describeCommand(
    'recover',
    'have a swarm that has lost its quorum go on with one of its managers; told only (exit code 2) without --yes',
    ['windlass servers recover fleet --from s1', 'windlass servers recover fleet --from s1 --yes'],
  )
    .argument('[cluster]', 'may be left out where there is one')
    .requiredOption('--from <server>', 'the manager, as the file of the cluster calls it')
    .option('--yes', 'do it')
    .action(async (cluster: string | undefined, options: RecoverOptions) =>
      recoverServers(context, cluster, options),
    );
  return (
    describeCommand(
      'servers',
      'tell how the servers of a cluster are, what is under way with them and why',
      ['windlass servers', 'windlass servers fleet --json'],
    )
      .argument('[cluster]', 'may be left out where there is one')
      .action(async (cluster: string | undefined, options: JsonOption) =>
        printServers(context, cluster, options),
      )
      // Else it took the options of its own command.
      .enablePositionalOptions()
      .addCommand(recover)
  );
}

async function printServers(
  context: CliContext,
  name: string | undefined,
  { json = false }: JsonOption,
): Promise<void> {
  const client = await connect(context);
  const path = apiPath(['clusters', await findCluster(client, name), 'servers']);
  const answer = await client.get(path, ServersAnswer);
  if (json) return context.out(JSON.stringify(answer));
  const { cluster, controller, at, error } = answer;
  const paint = painter(context.colour);
  if (controller === undefined || at === undefined)
    return context.out(paint('yellow', `${cluster}: no deploy worker has reported on it yet`));
  context.out(
    `cluster ${paint('bold', cluster)}: seen ${formatAge(context.now() - at)} ago by ${controller}`,
  );
  if (error !== undefined && !answer.problems.includes(error))
    context.out(paint('red', displayText(error)));
  for (const line of fleetLines(answer, paint)) context.out(line);
}

async function recoverServers(
  context: CliContext,
  name: string | undefined,
  { from, yes = false, json = false }: RecoverOptions,
): Promise<void> {
  const client = await connect(context);
  const path = apiPath(['clusters', await findCluster(client, name), 'servers', 'recover']);
  const answer = await client.post(path, { from, confirmed: yes }, RecoverAnswer);
  if (json) context.out(JSON.stringify(answer));
  else for (const line of answer.does) context.out(`- ${line}`);
  if (yes) return context.note(`done: ${answer.cluster} goes on with ${answer.from}`);
  context.setExitCode(NOT_DONE_EXIT_CODE);
  context.note('nothing was done: add --yes to do it');
}
