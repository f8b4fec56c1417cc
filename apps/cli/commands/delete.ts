import type { Command } from 'commander';
import { DeleteAnswer } from '#core/api/by-hand.ts';
import type { DeleteRequest } from '#core/api/by-hand.ts';
import { displayKey } from '#core/present/display.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';

interface DeleteOptions extends JsonOption {
  cascade?: boolean;
  cluster?: string;
}

const NOT_DONE_EXIT_CODE = 2;

export function deleteCommand(context: CliContext): Command {
  return describeCommand(
    'delete',
    'remove from clusters what a pipeline or deploy entry has there and nobody declares any more',
    ['windlass delete shop', 'windlass delete shop production --cascade'],
  )
    .argument('<pipeline>')
    .argument('[entry]', 'this deploy entry only')
    .option('--cascade', 'do it; without, it is only told what would be removed')
    .option('--cluster <name>', 'from this cluster only')
    .action(async (pipeline: string, entry: string | undefined, options: DeleteOptions) =>
      remove(context, pipeline, entry, options),
    );
}

async function remove(
  context: CliContext,
  pipeline: string,
  entry: string | undefined,
  { cascade = false, cluster, json = false }: DeleteOptions,
): Promise<void> {
  const client = await connect(context);
  const request: DeleteRequest = {
    cascade,
    ...(entry === undefined ? {} : { entry }),
    ...(cluster === undefined ? {} : { cluster }),
  };
  const path = apiPath(['pipelines', pipeline, 'delete']);
  const answer = await client.post(path, request, DeleteAnswer);
  if (json) context.out(JSON.stringify(answer));
  else for (const line of answerLines(answer, pipeline, context.colour)) context.out(line);
  if (cascade) return;
  context.setExitCode(NOT_DONE_EXIT_CODE);
  context.note('nothing was removed: add --cascade to do it');
}

function answerLines(
  { deleted, cascade }: DeleteAnswer,
  pipeline: string,
  colour: boolean,
): string[] {
  const paint = painter(colour);
  const verb = cascade ? 'is being removed' : 'would be removed';
  const fate = cascade ? 'it is forgotten' : 'it would be forgotten';
  if (deleted.length === 0) return [`${pipeline} has nothing on any cluster; ${fate}`];
  return deleted.flatMap(({ owner, cluster, resources, pods }) => [
    `${paint('bold', owner)} ${verb} from cluster ${cluster}, with its pods (${pods}):`,
    ...resources.map((key) => paint('red', `- ${displayKey(key)}`)),
  ]);
}
