import { realpath } from 'node:fs/promises';
import type { BareRepository } from '#adapters/git/bare.ts';
import { parseRepositoryPipeline } from '#core/declarations/repository.ts';
import type { Pipeline } from '#core/declarations/pipeline.ts';
import { formatProblem, UserError } from '#core/errors.ts';
import type { RunStore } from '#core/ports.ts';
import { displayText } from '#core/present/display.ts';
import { logLine, runLines, verdictLine } from '#core/present/run-lines.ts';
import type { Run } from '#core/run/run.ts';
import { BUILT_IN_CONFIG, checkConfig } from '../config-source.ts';
import type { ConfigSource } from '../config-source.ts';
import { followRun } from '../follow-run.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import type { Orchestrator } from '../orchestrator.ts';
import type { RunArchive } from '../runs/run-archive.ts';
import type { HookCall } from './hook-call.ts';
import type { HandleHook } from './hook-channels.ts';
import type { Repositories } from './repositories.ts';

const CONFIG = 'config';
const CONFIG_REF = 'refs/heads/main';
const FOLLOW_MS = 6 * 3_600_000;

type Say = (line: string) => void;
type Update = HookCall['updates'][number];

export interface PushDependencies {
  repositories: Repositories;
  pipelines: KnownPipelines;
  config: ConfigSource;
  /** Takes the configuration that was pushed and tells the workers. */
  refreshConfig: (signal: AbortSignal) => Promise<void>;
  orchestrator: Pick<Orchestrator, 'receive'>;
  runs: Pick<RunStore, 'follow'>;
  archive: Pick<RunArchive, 'reader'>;
}

/** What a push to a repository of this server leads to: checks before git takes it, runs after. */
export function createPushHandler(dependencies: PushDependencies): HandleHook {
  return async function handle(call, say, signal) {
    if (call.repository === CONFIG) {
      return call.phase === 'pre-receive'
        ? checkConfigPush(call, say, dependencies)
        : publishConfig(call, say, dependencies, signal);
    }
    return call.phase === 'pre-receive'
      ? checkPush(call, say, dependencies)
      : startRuns(call, say, dependencies, signal);
  };
}

async function checkConfigPush(
  call: HookCall,
  say: Say,
  { config, repositories }: PushDependencies,
): Promise<number> {
  const { source } = config.view();
  if (source !== BUILT_IN_CONFIG) {
    say(`refused: the configuration of this server comes from ${source}`);
    return 1;
  }
  const update = call.updates.find(({ ref }) => ref === CONFIG_REF);
  if (update === undefined) return 0;
  if (isDeletion(update)) {
    say('refused: main is the configuration in force and cannot be deleted');
    return 1;
  }
  const environment = await objectsOf(call, repositories);
  if (!(await isFastForward(repositories.open(CONFIG), update, environment))) {
    say('refused: main on the server has commits that this push would drop');
    say('fetch it, put your commits on top and push again');
    return 1;
  }
  const files = await repositories.declaredFiles(CONFIG, update.after, environment);
  if (files.length === 0) {
    say('refused: there is no pipelines/*.yaml in this commit');
    return 1;
  }
  const problems = checkConfig(files);
  if (problems.length === 0) return 0;
  say(`refused: the configuration has ${problems.length === 1 ? 'a problem' : 'problems'}`);
  for (const problem of problems) say(problem);
  return 1;
}

async function publishConfig(
  call: HookCall,
  say: Say,
  { refreshConfig, config }: PushDependencies,
  signal: AbortSignal,
): Promise<number> {
  for (const { ref } of call.updates) {
    if (ref !== CONFIG_REF) say(`${displayText(ref)} is stored; only main is the configuration`);
  }
  if (!call.updates.some(({ ref }) => ref === CONFIG_REF)) return 0;
  await refreshConfig(signal);
  const { pipelines, clusters } = config.view();
  say(`in force: ${counted(pipelines, 'pipeline')}, ${counted(clusters, 'cluster')}`);
  return 0;
}

async function checkPush(
  call: HookCall,
  say: Say,
  dependencies: PushDependencies,
): Promise<number> {
  const { repository } = call;
  const known = await dependencies.pipelines.find(repository);
  if (known?.declaredIn === 'configuration') {
    const { url } = known.pipeline.spec.source;
    if (url === undefined) return 0;
    say(`refused: ${repository} is built from ${url}; push there`);
    return 1;
  }
  const heads = call.updates.filter((update) => isBranch(update) && !isDeletion(update));
  const environment = await objectsOf(call, dependencies.repositories);
  for (const { after } of heads) {
    const { pipeline, problems } = await readPipeline(repository, after, dependencies, environment);
    if (problems.length > 0) {
      say('refused: the pipeline that this repository declares has problems');
      for (const problem of problems) say(problem);
      return 1;
    }
    if (pipeline === undefined && known === undefined) {
      say(`refused: the pipeline ${repository} is not declared`);
      say('run `windlass init` in the repository, commit pipelines/ and push again,');
      say("or declare it in the server's configuration");
      return 1;
    }
  }
  return 0;
}

async function readPipeline(
  name: string,
  commit: string,
  { repositories, pipelines }: PushDependencies,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ pipeline?: Pipeline; problems: string[] }> {
  const files = await repositories.declaredFiles(name, commit, environment);
  const { pipeline, problems } = parseRepositoryPipeline(files, name, pipelines.clusters());
  return {
    ...(pipeline === undefined ? {} : { pipeline }),
    problems: problems.map(formatProblem),
  };
}

async function startRuns(
  call: HookCall,
  say: Say,
  dependencies: PushDependencies,
  signal: AbortSignal,
): Promise<number> {
  const started: Run[] = [];
  for (const update of call.updates) {
    const run = await startRun(call, update, say, dependencies);
    if (run !== undefined) started.push(run);
  }
  if (call.pushOptions.includes('nowait')) {
    for (const run of started) {
      say(
        `run ${run.id} of ${run.pipeline} is queued: ${displayText(call.url)}/api/v1/runs/${run.id}`,
      );
      say(`follow it with: windlass logs ${run.id} -f`);
    }
    return 0;
  }
  for (const run of started) await tellRun(run, say, dependencies, signal);
  return 0;
}

async function startRun(
  { repository, who }: HookCall,
  update: Update,
  say: Say,
  dependencies: PushDependencies,
): Promise<Run | undefined> {
  const { ref, before, after } = update;
  const shown = displayText(ref);
  if (isDeletion(update)) {
    say(`${shown} is deleted; what it deployed keeps running`);
    return undefined;
  }
  if (!isBranch(update)) {
    say(`${shown} is stored; only pushes to branches start runs`);
    return undefined;
  }
  const pipeline = await pipelineAfter(repository, update, dependencies);
  const { branches } = pipeline.spec.source;
  const branch = ref.slice('refs/heads/'.length);
  if (!branches.includes(branch)) {
    say(`${shown} is stored; ${repository} runs on ${branches.join(', ')} only`);
    return undefined;
  }
  return dependencies.orchestrator.receive(
    { kind: 'push', ref, after, who, ...(isZero(before) ? {} : { before }) },
    { pipeline: repository, spec: pipeline.spec },
  );
}

/** The pipeline as it is declared now; what the repository declares itself is kept when one of its branches is pushed. */
async function pipelineAfter(
  name: string,
  { ref, after }: Update,
  dependencies: PushDependencies,
): Promise<Pipeline> {
  const { repositories, pipelines } = dependencies;
  await pointHead(name, ref, repositories);
  const known = await pipelines.find(name);
  if (known?.declaredIn === 'configuration') return known.pipeline;
  const { pipeline } = await readPipeline(name, after, dependencies);
  if (pipeline === undefined) {
    if (known !== undefined) return known.pipeline;
    throw new UserError('not-found', `the pipeline ${name} is not declared any more`);
  }
  if (pipeline.spec.source.branches.includes(ref.slice('refs/heads/'.length))) {
    await repositories.keepPipeline(pipeline);
    await pipelines.publish();
  }
  return pipeline;
}

/** So that a clone checks something out where the first branch is not `main`. */
async function pointHead(name: string, ref: string, repositories: Repositories): Promise<void> {
  const repository = repositories.open(name);
  const head = await repository.head();
  if (head !== ref && (await repository.resolve(head)) === undefined)
    await repository.git(['symbolic-ref', 'HEAD', ref]);
}

async function tellRun(
  started: Run,
  say: Say,
  dependencies: PushDependencies,
  signal: AbortSignal,
): Promise<void> {
  let told: Run | undefined;
  const late = AbortSignal.timeout(FOLLOW_MS);
  const run = await followRun(
    dependencies,
    started,
    {
      onRun(now) {
        for (const line of runLines(told, now)) say(line);
        told = now;
      },
      onLog(lines) {
        for (const line of lines) say(logLine(line));
      },
    },
    AbortSignal.any([signal, late]),
  );
  const verdict = run === undefined ? undefined : verdictLine(run);
  say(verdict ?? `run ${started.id} goes on; follow it with: windlass logs ${started.id} -f`);
}

/** Lets git see the objects of a push that it has not accepted yet. */
async function objectsOf(
  { repository, objects }: HookCall,
  repositories: Repositories,
): Promise<Record<string, string>> {
  if (objects === undefined) return {};
  const top = await realpath(repositories.open(repository).folder);
  const directory = await realpath(objects);
  if (!directory.startsWith(`${top}/`)) throw new Error(`${directory} is not within ${top}`);
  return {
    GIT_OBJECT_DIRECTORY: directory,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: `${top}/objects`,
  };
}

async function isFastForward(
  repository: BareRepository,
  { before, after }: Update,
  environment: Readonly<Record<string, string>>,
): Promise<boolean> {
  if (isZero(before)) return true;
  const options = { environment };
  return repository.git(['merge-base', '--is-ancestor', before, after], options).then(
    () => true,
    () => false,
  );
}

function isDeletion({ after }: Update): boolean {
  return isZero(after);
}

/** How git writes that there is no commit. */
function isZero(commit: string): boolean {
  return /^0+$/.test(commit);
}

function isBranch({ ref }: Update): boolean {
  return ref.startsWith('refs/heads/');
}

function counted(names: readonly string[], what: string): string {
  return `${names.length} ${what}${names.length === 1 ? '' : 's'}`;
}
