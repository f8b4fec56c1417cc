import type { Command } from 'commander';
import { PlanAnswer } from '#core/api/plan.ts';
import { planLines, planSummary } from '#core/present/plan-lines.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { paintPlanLine } from '../format/plan.ts';
import { localPlanRequests } from '../plan-requests.ts';

interface PlanOptions extends JsonOption {
  entry?: string;
}

const CHANGES_EXIT_CODE = 2;

export function planCommand(context: CliContext): Command {
  return describeCommand(
    'plan',
    'tell what a push of the current folder would change (exit code 2) or that it changes nothing (0)',
    ['windlass plan', 'windlass plan shop --entry production'],
  )
    .argument('[pipeline]', 'may be left out where the folder declares one')
    .option('--entry <name>', 'this deploy entry only')
    .action(async (pipeline: string | undefined, options: PlanOptions) =>
      plan(context, pipeline, options),
    );
}

async function plan(
  context: CliContext,
  pipeline: string | undefined,
  options: PlanOptions,
): Promise<void> {
  const client = await connect(context);
  const requests = await localPlanRequests(context.cwd, client, { pipeline, entry: options.entry });
  const answers: PlanAnswer[] = [];
  for (const request of requests) {
    answers.push(await client.post(apiPath(['plan']), request, PlanAnswer));
  }
  if (answers.some((answer) => answer.plan.length > 0)) context.setExitCode(CHANGES_EXIT_CODE);
  if (options.json) {
    context.out(JSON.stringify({ plans: answers }));
    return;
  }
  const paint = painter(context.colour);
  for (const answer of answers) {
    const where = `${answer.entry} on ${answer.cluster}`;
    context.out(`${paint('bold', where)}: ${planSummary(answer.plan)}`);
    for (const line of planLines(answer.plan)) context.out(paintPlanLine(line, paint));
  }
}
