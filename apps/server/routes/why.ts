import type { FastifyInstance } from 'fastify';
import { WhyQuery } from '#core/api/why.ts';
import { readInput } from '../read-input.ts';
import { explainContainer } from '../why.ts';
import type { WhyDependencies } from '../why.ts';
import { knownCluster } from './known-cluster.ts';

/** `GET /api/v1/why`: why a container is there. */
export async function whyRoutes(
  app: FastifyInstance,
  dependencies: WhyDependencies,
): Promise<void> {
  app.get('/why', async (request) => {
    const wanted = readInput(WhyQuery, request.query);
    if (wanted.cluster !== undefined)
      knownCluster(dependencies.pipelines, { name: wanted.cluster });
    return explainContainer(wanted, dependencies);
  });
}
