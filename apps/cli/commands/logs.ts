import type { Command } from 'commander';
import { UserError } from '#core/errors.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findRun } from '../find-run.ts';
import { connect } from '../find-server.ts';
import { parseLines } from '../parse-lines.ts';
import { printRunLog } from '../run-log.ts';
import { parseWorkload } from '../workload.ts';
import { printWorkloadLog } from '../workload-log.ts';

interface LogsOptions extends JsonOption {
  follow?: boolean;
  workload?: string;
  namespace: string;
  cluster?: string;
  container?: string;
  tail?: string;
}

export function logsCommand(context: CliContext): Command {
  return describeCommand('logs', "print a run's log, or what the pods of a workload print", [
    'windlass logs last -f',
    'windlass logs -w deployment/web -n shop -f',
  ])
    .argument('[run]', "a run's id or its beginning; `last` is the newest")
    .option('-f, --follow', 'go on as lines come; of a run until it ends, and exit 1 if it failed')
    .option(
      '-w, --workload <kind/name>',
      'a workload instead of a run, e.g. deployment/web',
      parseWorkload,
    )
    .option('-n, --namespace <name>', "the workload's namespace", 'default')
    .option('--cluster <name>', "the workload's cluster; may be left out where there is one")
    .option('--container <name>', 'of this container only')
    .option('--tail <lines>', 'at most so many of the last lines of a workload', parseLines)
    .action(async (run: string | undefined, options: LogsOptions) =>
      printLogs(context, run, options),
    );
}

async function printLogs(
  context: CliContext,
  reference: string | undefined,
  options: LogsOptions,
): Promise<void> {
  const { workload, follow = false, json = false } = options;
  if ((reference === undefined) === (workload === undefined)) {
    throw new UserError('invalid-input', 'name either a run or, with -w, a workload', {
      hint: '`windlass runs` lists runs, `windlass status` workloads',
    });
  }
  const client = await connect(context);
  if (workload !== undefined) {
    await printWorkloadLog(context, client, { ...options, workload, follow, json });
    return;
  }
  const run = await findRun(client, reference ?? 'last');
  await printRunLog(context, client, run.id, { follow, json });
}
