import type { Command } from 'commander';
import { ByHandAnswer } from '#core/api/by-hand.ts';
import type { OpenRequest } from '#core/api/by-hand.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { parseSeconds } from '../duration.ts';
import { findEntry } from '../find-entry.ts';
import { connect } from '../find-server.ts';

interface OpenOptions extends JsonOption {
  for?: number;
  reason?: string;
}

export function openCommand(context: CliContext): Command {
  return describeCommand(
    'open',
    'let deploys begin for a while, whatever the windows of the deploy entry say',
    ['windlass open shop production --for 30m --reason "the fix for the outage"'],
  )
    .argument('<pipeline>')
    .argument('[entry]', 'the deploy entry; may be left out where there is one')
    .option('--for <duration>', 'for how long, e.g. 30m or 2h; 1h when left out', parseSeconds)
    .option('--reason <text>', 'what for')
    .action(async (pipeline: string, entry: string | undefined, options: OpenOptions) =>
      open(context, pipeline, entry, options),
    );
}

async function open(
  context: CliContext,
  pipeline: string,
  named: string | undefined,
  { reason, json = false, ...options }: OpenOptions,
): Promise<void> {
  const client = await connect(context);
  const entry = await findEntry(client, pipeline, named);
  const request: OpenRequest = {
    ...(options.for === undefined ? {} : { forSeconds: options.for }),
    ...(reason === undefined ? {} : { reason }),
  };
  const answer = await client.post(
    apiPath(['entries', pipeline, entry, 'open']),
    request,
    ByHandAnswer,
  );
  const { until = context.now() } = answer.byHand.opened ?? {};
  const end = new Date(until).toISOString().replace(/:\d+\.\d+Z$/, 'Z');
  context.out(json ? JSON.stringify(answer) : `deploys of ${answer.owner} may begin until ${end}`);
}
