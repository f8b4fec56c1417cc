import type { Command } from 'commander';
import { WhyAnswer } from '#core/api/why.ts';
import { apiPath } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { whyLines } from '../format/why.ts';

interface WhyOptions extends JsonOption {
  cluster?: string;
}

export function whyCommand(context: CliContext): Command {
  return describeCommand(
    'why',
    'tell what a container is there for: its workload, release, commit, and who pushed it',
    ['windlass why 3f2a9c11d0e4', 'windlass why web-5d4f7c9a-0'],
  )
    .argument('<container>', 'its id or the beginning of it, its name, or the name of its pod')
    .option('--cluster <name>', 'on this cluster only')
    .action(async (container: string, options: WhyOptions) => why(context, container, options));
}

async function why(context: CliContext, container: string, options: WhyOptions): Promise<void> {
  const client = await connect(context);
  const query = { container, cluster: options.cluster };
  const answer = await client.get(apiPath(['why'], query), WhyAnswer);
  if (options.json) context.out(JSON.stringify(answer));
  else
    for (const line of whyLines(answer, painter(context.colour), context.now())) context.out(line);
}
