import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { Name } from '#core/declarations/pipeline.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { UserError } from '#core/errors.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findServer } from '../find-server.ts';
import { nodePortOf, planFirstFiles } from '../init/first-files.ts';
import type { FirstFiles } from '../init/first-files.ts';
import { currentBranch, findImages, nameOf } from '../init/look-around.ts';

interface InitOptions extends JsonOption {
  name?: string;
  port?: number;
}

export function initCommand(context: CliContext): Command {
  return describeCommand('init', 'write first files into the repository in the current folder', [
    'windlass init',
    'windlass init --name shop --port 8080',
  ])
    .option('--name <name>', "the pipeline's name; the folder's when left out")
    .option(
      '--port <port>',
      "the port the application listens on; the Dockerfile's EXPOSE when left out",
      parsePort,
    )
    .action(async (options: InitOptions) => init(context, options));
}

async function init(context: CliContext, options: InitOptions): Promise<void> {
  const { images, dockerfiles } = await findImages(context.cwd, options.port);
  const first: FirstFiles = {
    pipeline: validName(options.name ?? nameOf(context.cwd)),
    branch: await currentBranch(context.cwd),
    images,
  };
  const files = planFirstFiles(first);
  const written = await writeNew(context.cwd, files);
  const kept = files.map(({ path }) => path).filter((path) => !written.includes(path));
  if (options.json) {
    context.out(JSON.stringify({ pipeline: first.pipeline, written, kept }));
    return;
  }
  for (const path of written) context.out(`wrote ${path}`);
  for (const path of kept) context.out(`kept ${path}, which was there`);
  const lines = nextSteps(first, dockerfiles > 0, await serverUrl(context));
  for (const line of lines) context.note(line);
}

/** Writes what is not there yet; answers which. */
async function writeNew(folder: string, files: readonly SourceFile[]): Promise<string[]> {
  const written: string[] = [];
  for (const { path, text } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    try {
      await writeFile(join(folder, path), text, { flag: 'wx' });
      written.push(path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
  return written;
}

function nextSteps(first: FirstFiles, hasDockerfile: boolean, url: string): string[] {
  const remote = new URL(`/git/${first.pipeline}.git`, url);
  remote.username = 'windlass';
  const addresses = first.images.map(
    ({ name }) => `http://127.0.0.1:${nodePortOf(first.pipeline, name)}`,
  );
  return [
    '',
    'Next:',
    ...(hasDockerfile ? [] : ['  # write a Dockerfile: the image web is built from it']),
    '  windlass validate',
    `  git add pipelines deploy && git commit -m 'Deploy with Windlass'`,
    `  git remote add windlass ${remote.href}`,
    `  git push windlass ${first.branch}          # the password is the token`,
    `It answers then at ${addresses.join(', ')}`,
  ];
}

/** Next steps are worth printing even where no server is known yet. */
async function serverUrl(context: CliContext): Promise<string> {
  try {
    return (await findServer(context)).url;
  } catch (error) {
    if (error instanceof UserError) return 'http://127.0.0.1:4380';
    throw error;
  }
}

function validName(name: string): string {
  const [issue] = Name.safeParse(name).error?.issues ?? [];
  if (issue === undefined) return name;
  throw new UserError('invalid-input', `the name ${name} ${issue.message}`, {
    hint: 'choose one with --name',
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a number from 1 to 65535.');
}
