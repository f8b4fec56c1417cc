import type { Command } from 'commander';
import { ByHandAnswer } from '#core/api/by-hand.ts';
import type { SuspendRequest } from '#core/api/by-hand.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findEntry } from '../find-entry.ts';
import { connect } from '../find-server.ts';

interface SuspendOptions extends JsonOption {
  reason?: string;
}

export function suspendCommand(context: CliContext): Command {
  return describeCommand(
    'suspend',
    'leave what runs of a deploy entry as it is: change, heal and release nothing until it is resumed',
    ['windlass suspend shop production --reason "looking at the database"'],
  )
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .option('--reason <text>', 'what for; `windlass status` tells it')
    .action(async (pipeline: string, entry: string | undefined, options: SuspendOptions) =>
      suspend(context, pipeline, entry, options),
    );
}

export function resumeCommand(context: CliContext): Command {
  return describeCommand('resume', 'keep a suspended deploy entry as released again', [
    'windlass resume shop production',
  ])
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .action(async (pipeline: string, entry: string | undefined, options: JsonOption) =>
      resume(context, pipeline, entry, options),
    );
}

async function suspend(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  { reason, json = false }: SuspendOptions,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const request: SuspendRequest = reason === undefined ? {} : { reason };
  const path = apiPath(['entries', pipeline, entry, 'suspend']);
  const answer = await client.post(path, request, ByHandAnswer);
  context.out(json ? JSON.stringify(answer) : `${answer.owner} is suspended; what runs goes on`);
  if (!json) context.note(`go on: windlass resume ${pipeline} ${entry}`);
}

async function resume(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  { json = false }: JsonOption,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const path = apiPath(['entries', pipeline, entry, 'resume']);
  const answer = await client.post(path, {}, ByHandAnswer);
  context.out(json ? JSON.stringify(answer) : `${answer.owner} is kept as released again`);
}
