import type { Command } from 'commander';
import { RunView } from '#core/api/run.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findRun } from '../find-run.ts';
import { connect } from '../find-server.ts';
import { reportStarted } from '../report-started.ts';
import type { StartedOptions } from '../report-started.ts';

export function retryCommand(context: CliContext): Command {
  return describeCommand('retry', 'run the same commit again, as a new run', [
    'windlass retry last -f',
  ])
    .argument('<run>', "the run's id or its beginning; `last` is the newest")
    .option('-f, --follow', 'print the log until it ends; exit 1 if it failed')
    .action(async (reference: string, options: JsonOption & StartedOptions) =>
      retry(context, reference, options),
    );
}

async function retry(
  context: CliContext,
  reference: string,
  options: JsonOption & StartedOptions,
): Promise<void> {
  const client = await connect(context);
  const { id } = await findRun(client, reference);
  const run = await client.post(apiPath(['runs', id, 'retry']), {}, RunView);
  await reportStarted(context, client, run, options);
}
