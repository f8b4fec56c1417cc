import { isFinished } from '#core/run/run.ts';
import type { Run } from '#core/run/run.ts';
import type { World } from './world.ts';

/** What is wrong with a world that has come to rest with every role up; nothing, if all is well. */
export async function verdict(world: World): Promise<string[]> {
  const runs = await world.runs.list({ limit: 1_000 });
  const problems = [
    ...endings(world, runs),
    ...pushes(world, runs),
    ...order(world),
    ...lastPush(world, runs),
  ];
  return problems.length === 0 ? [] : [...problems, ...runs.map(describe)];
}

function endings({ ended }: World, runs: readonly Run[]): string[] {
  return [
    ...runs.filter((run) => !isFinished(run)).map((run) => `${run.id} has not ended`),
    ...runs
      .filter(({ id }) => ended.filter((each) => each === id).length > 1)
      .map(({ id }) => `${id} ended twice`),
  ];
}

/** A push that was overtaken by a later one before it had a run is built as that one. */
function pushes({ acknowledged, commits }: World, runs: readonly Run[]): string[] {
  const built = runs.map(({ commit }) => commits.ids.indexOf(commit));
  return acknowledged
    .filter((id) => !built.some((each) => each >= commits.ids.indexOf(id)))
    .map((id) => `the push of ${id} is lost`);
}

function order({ releases, engine, commits }: World): string[] {
  const own = releases.commits.filter(({ runId }) => runId !== undefined);
  const isOnce = new Set(own.map(({ runId }) => runId)).size === own.length;
  const ages = own.map(({ source }) => commits.ids.indexOf(source));
  const isForward = ages.every((age, index) => age >= (ages[index - 1] ?? 0));
  const sources = releases.commits.map(({ source }) => source);
  return [
    ...(isOnce ? [] : ['a run was released twice']),
    ...(isForward ? [] : [`an older commit was released after a newer one: ${sources.join()}`]),
    ...(isWithin(engine.applied, sources)
      ? []
      : [`the engine had ${engine.applied.join()}, released were ${sources.join()}`]),
  ];
}

function lastPush({ commits, releases, engine, cancelled }: World, runs: readonly Run[]): string[] {
  const last = commits.head();
  if (last === undefined) return [];
  const problems: string[] = [];
  const head = releases.commits.at(-1);
  const run = runs.find(({ commit }) => commit === last);
  const wanted = commits.qualityOf(last) === 'sound' ? 'succeeded' : 'failed';
  const isCancelled = run?.state === 'cancelled' && cancelled.has(run.id);
  if (run?.state !== wanted && !isCancelled) problems.push(`${last} has not ${wanted}`);
  if (run?.state === 'succeeded' && head?.source !== last)
    problems.push(`${last} has succeeded and is not released`);
  if (engine.applied.at(-1) !== head?.source)
    problems.push(`${engine.applied.at(-1)} runs, ${head?.source} is released`);
  if (releases.healthy !== undefined && commits.qualityOf(head?.source) !== 'sound')
    problems.push(`${head?.source} was not put back`);
  return problems;
}

/** Whether `part` has what `whole` has, in its order, and perhaps less. */
function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  let from = 0;
  return part.every((each) => {
    const at = whole.indexOf(each, from);
    from = at + 1;
    return at !== -1;
  });
}

function describe(run: Run): string {
  return `${run.id} of ${run.commit}: ${run.state} ${run.reason}`;
}
