import type { Command } from 'commander';
import { RunView } from '#core/api/run.ts';
import { isFinished } from '#core/run/run.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findRun } from '../find-run.ts';
import { connect } from '../find-server.ts';

export function cancelCommand(context: CliContext): Command {
  return describeCommand('cancel', 'end a run that is queued or under way', [
    'windlass cancel 3f2a',
  ])
    .argument('<run>', "the run's id or its beginning; `last` is the newest")
    .action(async (reference: string, options: JsonOption) => cancel(context, reference, options));
}

async function cancel(context: CliContext, reference: string, options: JsonOption): Promise<void> {
  const client = await connect(context);
  const { id } = await findRun(client, reference);
  const run = await client.post(apiPath(['runs', id, 'cancel']), {}, RunView);
  const word = isFinished(run) ? run.state : 'is being cancelled';
  context.out(options.json ? JSON.stringify(run) : `run ${id} ${word}`);
}
