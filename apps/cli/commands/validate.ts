import type { Command } from 'commander';
import { formatProblem } from '#core/errors.ts';
import { checkFiles } from '../check-files.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { painter } from '../format/colour.ts';

export function validateCommand(context: CliContext): Command {
  return describeCommand('validate', 'check declarations and manifests, without a server', [
    'windlass validate',
    'windlass validate pipelines deploy/web.yaml',
  ])
    .argument(
      '[paths...]',
      'files and folders; `pipelines` and the manifests it names when left out',
    )
    .action(async (paths: string[], options: JsonOption) => validate(context, paths, options));
}

async function validate(
  context: CliContext,
  paths: readonly string[],
  options: JsonOption,
): Promise<void> {
  const { files, problems, notes } = await checkFiles(context, paths);
  if (problems.length > 0) context.setExitCode(1);
  if (options.json) {
    context.out(JSON.stringify({ files, problems, notes }));
    return;
  }
  for (const problem of problems) context.out(formatProblem(problem));
  for (const note of notes) context.note(`note: ${note}`);
  const paint = painter(context.colour);
  if (problems.length === 0)
    context.out(`${paint('green', 'valid')}: ${counted(files.length, 'file')}`);
  else context.note(`${paint('red', 'invalid')}: ${counted(problems.length, 'problem')}`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
