import type { Command } from 'commander';
import { FleetView } from '#core/api/cluster.ts';
import { PlanAnswer } from '#core/api/plan.ts';
import type { PlanRequest } from '#core/api/plan.ts';
import { UserError } from '#core/errors.ts';
import { planLines, planSummary } from '#core/present/plan-lines.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { fleetPlanLines } from '../format/fleet.ts';
import { paintPlanLine } from '../format/plan.ts';
import { localFleets, localPipelines, localPlanRequests } from '../plan-requests.ts';

interface PlanOptions extends JsonOption {
  entry?: string;
}

const CHANGES_EXIT_CODE = 2;
const NEW = 'a new cluster, whose servers are looked at once it is declared';

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
  const wanted = { pipeline, entry: options.entry };
  const fleets = await planFleets(context.cwd, client, wanted);
  const requests = await entriesOf(context, client, wanted, fleets.length > 0);
  const answers: PlanAnswer[] = [];
  for (const request of requests) {
    answers.push(await client.post(apiPath(['plan']), request, PlanAnswer));
  }
  const isChanged =
    answers.some((answer) => answer.plan.length > 0) ||
    fleets.some(({ fleet }) => fleet?.servers.some((server) => server.pending !== undefined));
  if (isChanged) context.setExitCode(CHANGES_EXIT_CODE);
  if (options.json) {
    context.out(JSON.stringify({ plans: answers, ...(fleets.length === 0 ? {} : { fleets }) }));
    return;
  }
  const paint = painter(context.colour);
  for (const { cluster, fleet } of fleets) {
    const heading = `servers of ${paint('bold', cluster)}`;
    const lines = fleet === undefined ? [] : fleetPlanLines(fleet);
    context.out(`${heading}: ${fleet === undefined ? NEW : summary(lines)}`);
    for (const line of lines) context.out(paintPlanLine(line, paint));
  }
  for (const answer of answers) {
    const where = `${answer.entry} on ${answer.cluster}`;
    context.out(`${paint('bold', where)}: ${planSummary(answer.plan)}`);
    for (const line of planLines(answer.plan)) context.out(paintPlanLine(line, paint));
  }
}

interface Wanted {
  pipeline: string | undefined;
  entry: string | undefined;
}

interface PlannedFleet {
  cluster: string;
  /** Absent where the server does not know the cluster yet. */
  fleet?: FleetView;
}

/** Of the clusters that the folder declares; none where a pipeline or an entry is named. */
async function planFleets(
  folder: string,
  client: ApiClient,
  { pipeline, entry }: Wanted,
): Promise<PlannedFleet[]> {
  if (pipeline !== undefined || entry !== undefined) return [];
  const planned: PlannedFleet[] = [];
  for (const { metadata, spec } of await localFleets(folder)) {
    const path = apiPath(['clusters', metadata.name, 'servers', 'plan']);
    try {
      const fleet = await client.post(path, { servers: spec.servers }, FleetView);
      planned.push({ cluster: metadata.name, fleet });
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'not-found') throw error;
      planned.push({ cluster: metadata.name });
    }
  }
  return planned;
}

/** A folder may declare servers only. */
async function entriesOf(
  context: CliContext,
  client: ApiClient,
  wanted: Wanted,
  hasFleets: boolean,
): Promise<PlanRequest[]> {
  if (hasFleets && (await localPipelines(context.cwd)).length === 0) return [];
  return localPlanRequests(context, client, wanted);
}

function summary(lines: readonly string[]): string {
  const count = lines.filter((line) => !line.startsWith(' ')).length;
  if (count === 0) return 'no changes';
  return count === 1 ? '1 step' : `${count} steps`;
}
