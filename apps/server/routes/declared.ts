import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ReleaseQuery } from '#core/api/release.ts';
import { viewRun } from '#core/api/run.ts';
import type { RunStore } from '#core/ports.ts';
import type { ConfigSource } from '../config-source.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { readInput } from '../read-input.ts';
import type { Releases } from '../releases/releases.ts';

const EntryPath = z.object({ pipeline: z.string(), entry: z.string() });

export interface DeclaredDependencies {
  pipelines: KnownPipelines;
  config: ConfigSource;
  runs: RunStore;
  releases: Releases;
}

/** What is declared, and the releases that came of it. */
export async function declaredRoutes(
  app: FastifyInstance,
  { pipelines, config, runs, releases }: DeclaredDependencies,
): Promise<void> {
  app.get('/pipelines', async () => {
    const all = await pipelines.all();
    return {
      pipelines: await Promise.all(
        all.map(async ({ pipeline, declaredIn }) => {
          const { name } = pipeline.metadata;
          const [last] = await runs.list({ pipeline: name, limit: 1 });
          const lastRun = last === undefined ? {} : { lastRun: viewRun(last) };
          return { name, spec: pipeline.spec, declaredIn, ...lastRun };
        }),
      ),
    };
  });
  app.get('/config', async () => config.view());
  app.get('/releases/:pipeline/:entry', async (request) => {
    const { pipeline, entry } = readInput(EntryPath, request.params);
    const { limit } = readInput(ReleaseQuery, request.query);
    return { releases: await releases.history(pipeline, entry, limit) };
  });
}
