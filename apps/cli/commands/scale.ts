import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { ByHandAnswer } from '#core/api/by-hand.ts';
import type { ScaleRequest } from '#core/api/by-hand.ts';
import { workloadKey } from '#core/api/cluster.ts';
import { displayKey } from '#core/present/display.ts';
import type { CliContext } from '../context.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import { parseSeconds } from '../duration.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { parseWorkload } from '../workload.ts';

interface Wanted {
  workload: string;
  replicas?: number;
}

interface ScaleOptions extends JsonOption {
  for?: number;
  reason?: string;
  namespace: string;
  cluster?: string;
}

export function scaleCommand(context: CliContext): Command {
  return describeCommand(
    'scale',
    'give a workload another number of replicas than git, for a while or until the next release',
    [
      'windlass scale deployment/web=5 --for 2h --reason "the sale"',
      'windlass scale deployment/web        # as in git again',
    ],
  )
    .argument(
      '<kind/name=replicas>',
      'without =replicas the number in git counts again',
      parseWanted,
    )
    .option('--for <duration>', 'when it ends, e.g. 30m or 2h; 1h when left out', parseSeconds)
    .option('--reason <text>', 'what for; `windlass status` tells it')
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', "the workload's cluster; may be left out where there is one")
    .action(async (wanted: Wanted, options: ScaleOptions) => scale(context, wanted, options));
}

async function scale(
  context: CliContext,
  { workload, replicas }: Wanted,
  options: ScaleOptions,
): Promise<void> {
  const client = await connect(context);
  const cluster = await findCluster(client, options.cluster);
  const request = {
    workload,
    namespace: options.namespace,
    ...(replicas === undefined ? {} : { replicas }),
    ...(options.for === undefined ? {} : { forSeconds: options.for }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  } satisfies ScaleRequest;
  const answer = await client.post(apiPath(['clusters', cluster, 'scale']), request, ByHandAnswer);
  if (options.json) {
    context.out(JSON.stringify(answer));
    return;
  }
  const scaled = answer.byHand.scaled?.find(({ resource }) => resource === workloadKey(request));
  const { autoscaler } = answer;
  const owner = autoscaler === undefined ? undefined : displayKey(autoscaler);
  const own = owner === undefined ? 'as in git' : `as ${owner} decides`;
  const instead = owner === undefined ? '' : `, instead of as ${owner} decides`;
  context.out(
    scaled === undefined
      ? `${workload} of ${answer.owner} has as many replicas ${own}`
      : `${workload} of ${answer.owner} has ${scaled.replicas} replicas until ${new Date(scaled.until).toISOString().replace(/:\d+\.\d+Z$/, 'Z')} or the next release${instead}`,
  );
}

function parseWanted(text: string): Wanted {
  const [name = '', replicas, ...rest] = text.split('=');
  if (rest.length > 0 || (replicas !== undefined && !/^\d{1,4}$/.test(replicas)))
    throw new InvalidArgumentError('Write e.g. deployment/web=5.');
  const workload = parseWorkload(name);
  return replicas === undefined ? { workload } : { workload, replicas: Number(replicas) };
}
