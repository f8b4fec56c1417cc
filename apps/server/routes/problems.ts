import type { FastifyInstance } from 'fastify';
import type { ProblemList } from '#core/api/problem.ts';
import type { ConfigSource } from '../config-source.ts';
import type { Repositories } from '../git/repositories.ts';
import type { RemotePolls } from '../remote-polls.ts';

export interface ProblemDependencies {
  config: Pick<ConfigSource, 'view'>;
  remotes: Pick<RemotePolls, 'problems'>;
  repositories: Pick<Repositories, 'problems'>;
}

/** What keeps the newest of what is declared or pushed from being seen. */
export async function problemRoutes(
  app: FastifyInstance,
  { config, remotes, repositories }: ProblemDependencies,
): Promise<void> {
  app.get('/problems', async (): Promise<ProblemList> => {
    const { problems, problemsSince: since = 0 } = config.view();
    return {
      problems: [
        ...problems.map((message) => ({ of: 'configuration' as const, message, since })),
        ...remotes.problems().map((problem) => ({ of: 'source' as const, ...problem })),
        ...(await repositories.problems()).map((problem) => ({
          of: 'declaration' as const,
          ...problem,
        })),
      ],
    };
  });
}
