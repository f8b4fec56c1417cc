import type { Command } from 'commander';
import { RunView } from '#core/api/run.ts';
import type { RollbackRequest } from '#core/api/run.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findEntry } from '../find-entry.ts';
import { findRelease } from '../find-release.ts';
import { connect } from '../find-server.ts';
import { reportStarted } from '../report-started.ts';
import type { StartedOptions } from '../report-started.ts';

interface RollbackOptions extends StartedOptions {
  to?: string;
}

export function rollbackCommand(context: CliContext): Command {
  return describeCommand('rollback', 'release an earlier state again, as a new release', [
    'windlass rollback hello -f',
    'windlass rollback shop production --to 4be1d2f0',
  ])
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .option(
      '--to <commit>',
      'a release, as `windlass releases` lists them; the last healthy one before the newest when left out',
    )
    .option('-f, --follow', 'print the log until it ends; exit 1 if it failed')
    .action(async (pipeline: string, entry: string | undefined, options: RollbackOptions) =>
      rollback(context, pipeline, entry, options),
    );
}

async function rollback(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  options: RollbackOptions,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const body: RollbackRequest = { pipeline, entry };
  if (options.to !== undefined) {
    body.to = await findRelease(client, { pipeline, entry, reference: options.to });
  }
  const run = await client.post(apiPath(['rollback']), body, RunView);
  await reportStarted(context, client, run, options);
}
