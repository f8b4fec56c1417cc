import { Command } from 'commander';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findRun } from '../find-run.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { runDetails } from '../format/run.ts';

export function runCommand(context: CliContext): Command {
  const show = describeCommand('show', 'tell all about one run: steps, plan, reasons', [
    'windlass run show 3f2a',
    'windlass run show last --json',
  ])
    .argument('<id>', "the run's id or its beginning; `last` is the newest")
    .action(async (id: string, options: JsonOption) => showRun(context, id, options));
  return new Command('run')
    .description('tell about one run')
    .addHelpText('after', '\nExample:\n  $ windlass run show last')
    .addCommand(show);
}

async function showRun(context: CliContext, id: string, options: JsonOption): Promise<void> {
  const run = await findRun(await connect(context), id);
  const display = { paint: painter(context.colour), now: context.now() };
  const lines = options.json ? [JSON.stringify(run)] : runDetails(run, display);
  for (const line of lines) context.out(line);
}
