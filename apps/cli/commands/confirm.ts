import type { Command } from 'commander';
import { ByHandAnswer } from '#core/api/by-hand.ts';
import { ClusterList } from '#core/api/cluster.ts';
import { UserError } from '#core/errors.ts';
import { ownerKey } from '#core/owner.ts';
import { planLines } from '#core/present/plan-lines.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findEntry } from '../find-entry.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { paintPlanLine } from '../format/plan.ts';
import { shortCommit } from '../format/run.ts';

export function confirmCommand(context: CliContext): Command {
  return describeCommand(
    'confirm',
    'let the deletions of a release pass, which wait because they are many',
    ['windlass confirm shop', 'windlass confirm shop production'],
  )
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .action(async (pipeline: string, entry: string | undefined, options: JsonOption) =>
      confirm(context, pipeline, entry, options),
    );
}

async function confirm(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  options: JsonOption,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const { release, held } = await findHeld(client, pipeline, entry);
  const path = apiPath(['entries', pipeline, entry, 'confirm']);
  const answer = await client.post(path, { release }, ByHandAnswer);
  if (options.json) {
    context.out(JSON.stringify({ ...answer, deletions: held }));
    return;
  }
  const paint = painter(context.colour);
  context.out(`release ${shortCommit(release)} of ${answer.owner} may delete:`);
  for (const line of planLines(held.map(({ action, key, fields }) => ({ action, key, fields }))))
    context.out(paintPlanLine(line, paint));
}

async function findHeld(
  client: ApiClient,
  pipeline: string,
  entry: string,
): Promise<ClusterList['clusters'][number]['owners'][number]> {
  const owner = ownerKey(pipeline, entry);
  const { clusters } = await client.get(apiPath(['clusters']), ClusterList);
  const found = clusters.flatMap(({ owners }) => owners).find((each) => each.owner === owner);
  if (found !== undefined && found.held.length > 0) return found;
  throw new UserError('conflict', `no deletion waits on ${owner}`, {
    hint: '`windlass status` tells what waits',
  });
}
