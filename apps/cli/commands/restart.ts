import type { Command } from 'commander';
import { ByHandAnswer } from '#core/api/by-hand.ts';
import type { RestartRequest } from '#core/api/by-hand.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { parseWorkload } from '../workload.ts';

interface RestartOptions extends JsonOption {
  reason?: string;
  namespace: string;
  cluster?: string;
}

export function restartCommand(context: CliContext): Command {
  return describeCommand(
    'restart',
    'put new pods in the place of all that a workload has, as a release would: none is missed',
    ['windlass restart deployment/web', 'windlass restart deployment/web -n shop --reason "leak"'],
  )
    .argument('<kind/name>', 'e.g. deployment/web', parseWorkload)
    .option('--reason <text>', 'what for; `windlass status` tells it')
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', "the workload's cluster; may be left out where there is one")
    .action(async (workload: string, options: RestartOptions) =>
      restart(context, workload, options),
    );
}

async function restart(
  context: CliContext,
  workload: string,
  { reason, namespace, cluster, json = false }: RestartOptions,
): Promise<void> {
  const client = await connect(context);
  const request: RestartRequest = {
    workload,
    namespace,
    ...(reason === undefined ? {} : { reason }),
  };
  const path = apiPath(['clusters', await findCluster(client, cluster), 'restart']);
  const answer = await client.post(path, request, ByHandAnswer);
  context.out(json ? JSON.stringify(answer) : `${workload} of ${answer.owner} is being restarted`);
}
