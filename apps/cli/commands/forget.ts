import type { Command } from 'commander';
import { ForgetAnswer } from '#core/api/by-hand.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';

export function forgetCommand(context: CliContext): Command {
  return describeCommand(
    'forget',
    'forget a cluster that is not declared any more; what runs on it stays, and is told of no longer',
    ['windlass forget old-server'],
  )
    .argument('<cluster>')
    .action(async (cluster: string, options: JsonOption) => forget(context, cluster, options));
}

async function forget(context: CliContext, name: string, options: JsonOption): Promise<void> {
  const client = await connect(context);
  const answer = await client.post(apiPath(['clusters', name, 'forget']), {}, ForgetAnswer);
  context.out(
    options.json
      ? JSON.stringify(answer)
      : `${name} is forgotten; what runs on it is left as it is`,
  );
}
