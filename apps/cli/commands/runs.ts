import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { RunList } from '#core/api/run.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { runTable } from '../format/run.ts';

interface RunsOptions extends JsonOption {
  pipeline?: string;
  branch?: string;
  limit: number;
}

export function runsCommand(context: CliContext): Command {
  return describeCommand('runs', 'list runs, newest first', ['windlass runs --pipeline hello'])
    .option('-p, --pipeline <name>', 'of this pipeline only')
    .option('-b, --branch <name>', 'of this branch only')
    .option('-n, --limit <number>', 'at most so many', parseLimit, 20)
    .action(async (options: RunsOptions) => listRuns(context, options));
}

async function listRuns(context: CliContext, options: RunsOptions): Promise<void> {
  const client = await connect(context);
  const { pipeline, branch } = options;
  const path = apiPath(['runs'], { pipeline, branch, limit: String(options.limit) });
  const list = await client.get(path, RunList);
  if (options.json) {
    context.out(JSON.stringify(list));
    return;
  }
  runTable(list.runs, { paint: painter(context.colour), now: context.now() }).forEach((line) => {
    context.out(line);
  });
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 500) return limit;
  throw new InvalidArgumentError('It must be a number from 1 to 500.');
}
