import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { adopt } from '#core/adopt/adopt.ts';
import type { Adopted } from '#core/adopt/adopt.ts';
import { RunningAnswer } from '#core/adopt/running-container.ts';
import { PlanAnswer } from '#core/api/plan.ts';
import { Name } from '#core/declarations/pipeline.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { InvalidFiles, UserError } from '#core/errors.ts';
import { planLines, planSummary } from '#core/present/plan-lines.ts';
import { checkManifests } from '../check-manifests.ts';
import { apiPath } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { findCluster } from '../find-cluster.ts';
import { connect } from '../find-server.ts';
import { painter } from '../format/colour.ts';
import { paintPlanLine } from '../format/plan.ts';
import { currentBranch, nameOf } from '../init/look-around.ts';
import { localPlanRequests } from '../plan-requests.ts';

interface AdoptCommandOptions extends JsonOption {
  compose?: string;
  cluster?: string;
  namespace?: string;
  folder: string;
  pipeline?: string;
}

export function adoptCommand(context: CliContext): Command {
  return describeCommand(
    'adopt',
    'write manifests for containers that `docker run` or Compose made, and tell what taking over would change; they are not touched',
    ['windlass adopt web db', 'windlass adopt --compose shop'],
  )
    .argument('[containers...]', 'their names or ids')
    .option('--compose <project>', 'all running containers of this project of Docker Compose')
    .option('--cluster <name>', 'where they run; may be left out where there is one')
    .option('--namespace <name>', 'of what is written; the default one when left out')
    .option('--folder <path>', 'where the manifests are written', 'deploy')
    .option(
      '--pipeline <name>',
      "that is to deploy them; the folder's own, or a new one, when left out",
    )
    .action(async (containers: string[], options: AdoptCommandOptions) =>
      adoptContainers(context, containers, options),
    );
}

async function adoptContainers(
  context: CliContext,
  containers: readonly string[],
  options: AdoptCommandOptions,
): Promise<void> {
  const { compose, namespace } = options;
  if (containers.length === 0 && compose === undefined)
    throw new UserError('invalid-input', 'no container is named', {
      hint: 'name some, or a project with --compose',
    });
  const folder = options.folder.replace(/\/+$/, '');
  const client = await connect(context);
  const cluster = await findCluster(client, options.cluster);
  const wanted = { containers, ...(compose === undefined ? {} : { composeProject: compose }) };
  const path = apiPath(['clusters', cluster, 'running']);
  const running = await client.post(path, wanted, RunningAnswer);
  const adopted = adopt(running.containers, {
    folder,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const manifests = adopted.map(({ file }) => file);
  const problems = checkManifests(manifests, 'docker');
  if (problems.length > 0) throw new InvalidFiles(problems);
  const declared = await newPipeline(context.cwd, cluster, folder, options);
  await writeAll(context.cwd, [...declared, ...manifests]);
  const plans = await planAll(context, client, options.pipeline);
  const written = [...declared, ...manifests].map((file) => file.path);
  if (options.json) {
    context.out(JSON.stringify({ written, adopted: adopted.map(view), plans }));
    return;
  }
  tell(context, written, adopted, plans);
}

function view({ name, containers, differences, takingOver }: Adopted): object {
  return { name, containers, differences, takingOver };
}

/** A pipeline that deploys the folder, where none is declared here. */
async function newPipeline(
  cwd: string,
  cluster: string,
  folder: string,
  { pipeline, compose }: AdoptCommandOptions,
): Promise<SourceFile[]> {
  if (await isThere(join(cwd, 'pipelines'))) return [];
  const name = pipeline ?? compose ?? nameOf(cwd);
  const [issue] = Name.safeParse(name).error?.issues ?? [];
  if (issue !== undefined)
    throw new UserError('invalid-input', `the pipeline's name ${name} ${issue.message}`, {
      hint: 'choose one with --pipeline',
    });
  const text = stringify({
    apiVersion: 'windlass.dev/v1',
    kind: 'Pipeline',
    metadata: { name },
    spec: {
      source: { branches: [await currentBranch(cwd)] },
      deploy: [{ cluster, manifests: `${folder}/` }],
    },
  });
  return [{ path: `pipelines/${name}.yaml`, text }];
}

/** All or nothing of them: what is there already is not written over. */
async function writeAll(cwd: string, files: readonly SourceFile[]): Promise<void> {
  for (const { path } of files)
    if (await isThere(join(cwd, path)))
      throw new UserError('conflict', `${path} is there already`, {
        hint: 'remove it, or choose another folder with --folder; nothing was written',
      });
  for (const { path, text } of files) {
    await mkdir(dirname(join(cwd, path)), { recursive: true });
    await writeFile(join(cwd, path), text, { flag: 'wx' });
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function planAll(
  context: CliContext,
  client: ApiClient,
  pipeline: string | undefined,
): Promise<PlanAnswer[]> {
  const plans: PlanAnswer[] = [];
  for (const request of await localPlanRequests(context, client, { pipeline, entry: undefined }))
    plans.push(await client.post(apiPath(['plan']), request, PlanAnswer));
  return plans;
}

function tell(
  context: CliContext,
  written: readonly string[],
  adopted: readonly Adopted[],
  plans: readonly PlanAnswer[],
): void {
  const paint = painter(context.colour);
  for (const path of written) context.out(`wrote ${path}`);
  for (const { name, containers, differences, takingOver } of adopted) {
    context.out('');
    context.out(`${paint('bold', name)} takes the place of ${containers.join(', ')}`);
    for (const line of differences) context.out(`  ${paint('yellow', '~')} ${line}`);
    for (const line of takingOver) context.out(`  > ${line}`);
  }
  for (const { entry, cluster, plan } of plans) {
    context.out('');
    context.out(`${paint('bold', `${entry} on ${cluster}`)}: ${planSummary(plan)}`);
    for (const line of planLines(plan)) context.out(paintPlanLine(line, paint));
  }
}
