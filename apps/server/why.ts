import { z } from 'zod';
import { FoundContainerView } from '#core/api/why.ts';
import type { WhyAnswer } from '#core/api/why.ts';
import type { AllByHand } from '#core/by-hand/by-hand.ts';
import { activeOverrides, overrideText } from '#core/by-hand/overrides.ts';
import type { Override } from '#core/by-hand/overrides.ts';
import { isMadeFrom } from '#core/docker/made-from.ts';
import { mayBeMadeFrom } from '#core/kubernetes/made-from.ts';
import type { FoundContainer } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { JobQueue, RunStore } from '#core/ports.ts';
import { clusterQueue } from '#core/queue/jobs.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { KnownPipelines } from './known-pipelines.ts';
import type { LoggedRelease } from './releases/release-log.ts';
import type { Releases } from './releases/releases.ts';

const ANSWER_MS = 15_000;
const CHANGES_LOOKED_AT = 20;
const FindAnswer = z.object({ found: FoundContainerView.exactOptional() });

export interface WhyDependencies {
  queue: JobQueue;
  pipelines: KnownPipelines;
  releases: Pick<Releases, 'changesOf' | 'head'>;
  runs: Pick<RunStore, 'get'>;
  byHand: { all(): AllByHand };
}

/** From a container to its workload, the release that brought it, its commit and the push. */
export async function explainContainer(
  wanted: { container: string; cluster?: string },
  dependencies: WhyDependencies,
): Promise<WhyAnswer> {
  const { cluster, found } = await findSomewhere(wanted, dependencies);
  const answer: WhyAnswer = { cluster, container: found, declared: true, byHand: [] };
  const { owner, resource: key } = found;
  if (owner === undefined || key === undefined) return answer;
  const { pipelines, releases, runs } = dependencies;
  const [pipeline = '', entry = ''] = owner.split('/');
  const [head, changes, entries] = await Promise.all([
    releases.head(pipeline, entry),
    releases.changesOf(pipeline, entry, key, CHANGES_LOOKED_AT),
    pipelines.entriesOn(cluster),
  ]);
  const hand = dependencies.byHand.all()[owner];
  const versions = changes.map(({ release, text }) => {
    const { resources } = parseManifests([{ path: key, text }]);
    const state = { release: head?.commit ?? '', resources };
    return { release, resources, overrides: activeOverrides(state, hand, found.createdAt) };
  });
  const made = versions.find(({ release, resources, overrides }) =>
    resources.some((resource) => isFrom(found, { at: release.at, resource }, overrides)),
  );
  const version = made ?? versions[0];
  const run =
    version?.release.runId === undefined ? undefined : await runs.get(version.release.runId);
  return {
    ...answer,
    declared:
      Object.hasOwn(pipelines.clusters(), cluster) &&
      entries.some((each) => each.pipeline === pipeline && each.entry === entry),
    ...(version === undefined ? {} : { release: viewRelease(version.release) }),
    ...(head === undefined ? {} : { head: head.commit }),
    ...(run === undefined ? {} : { run: viewRun(run) }),
    byHand: (version?.overrides ?? []).map(overrideText),
  };
}

function isFrom(
  { template, made }: FoundContainer,
  version: { at: number; resource: Resource },
  overrides: readonly Override[],
): boolean {
  if (made !== undefined) return mayBeMadeFrom(made, version);
  return template !== undefined && isMadeFrom(template, version.resource, overrides);
}

async function findSomewhere(
  { container, cluster }: { container: string; cluster?: string },
  { queue, pipelines }: WhyDependencies,
): Promise<{ cluster: string; found: FoundContainer }> {
  const clusters = cluster === undefined ? Object.keys(pipelines.allClusters()) : [cluster];
  const payload: JobPayload<'find'> = { reference: container };
  const answers = await Promise.all(
    clusters.map(async (name) => {
      try {
        const answer = await queue.request(clusterQueue(name), 'find', payload, ANSWER_MS);
        return { name, found: FindAnswer.parse(answer).found };
      } catch (error) {
        if (error instanceof UserError) return { name, problem: messageOf(error) };
        throw error;
      }
    }),
  );
  for (const { name, found } of answers) if (found !== undefined) return { cluster: name, found };
  const silent = answers.flatMap(({ problem }) => problem ?? []);
  throw new UserError(
    'not-found',
    `no container or pod ${container} of this installation was found`,
    {
      hint:
        silent.length === 0
          ? '`docker ps` lists containers, `windlass status` pods'
          : silent.join('; '),
    },
  );
}

function viewRelease(release: LoggedRelease): NonNullable<WhyAnswer['release']> {
  const { commit, subject, author, at, source, sourceRef, runId, restores, pushedBy } = release;
  return {
    commit,
    subject,
    author,
    at,
    source,
    sourceRef,
    ...(runId === undefined ? {} : { runId }),
    ...(restores === undefined ? {} : { restores }),
    ...(pushedBy === undefined ? {} : { pushedBy }),
  };
}

function viewRun(
  run: NonNullable<Awaited<ReturnType<RunStore['get']>>>,
): NonNullable<WhyAnswer['run']> {
  const { id, trigger, createdAt, state, subject } = run;
  return { id, trigger, createdAt, state, ...(subject === undefined ? {} : { subject }) };
}
