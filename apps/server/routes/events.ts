import type { FastifyInstance } from 'fastify';
import { workloadKey } from '#core/api/cluster.ts';
import { EventQuery } from '#core/api/event.ts';
import { isAbout } from '#core/events/event.ts';
import type { ClusterEvent, EventFilter } from '#core/events/event.ts';
import type { EventStore } from '#core/ports.ts';
import type { KnownPipelines } from '../known-pipelines.ts';
import { closedSignal, openLineStream } from '../line-stream.ts';
import { readInput } from '../read-input.ts';
import { knownCluster } from './known-cluster.ts';

export interface EventDependencies {
  events: EventStore;
  pipelines: KnownPipelines;
}

/** What happened on a cluster, as its deploy workers saw it. */
export async function eventRoutes(
  app: FastifyInstance,
  { events, pipelines }: EventDependencies,
): Promise<void> {
  app.get('/clusters/:name/events', async (request, reply) => {
    const cluster = knownCluster(pipelines, request.params);
    const { owner, workload, namespace, limit, follow } = readInput(EventQuery, request.query);
    const filter: EventFilter = {
      ...(owner === undefined ? {} : { owner }),
      ...(workload === undefined ? {} : { resource: workloadKey({ workload, namespace }) }),
    };
    const { events: past, last } = await events.read(cluster);
    const signal = closedSignal(reply);
    const stream = openLineStream(reply, 'application/x-ndjson');
    function send(some: readonly ClusterEvent[]): void {
      for (const event of some.filter((each) => isAbout(each, filter)))
        stream.write(`${JSON.stringify(event)}\n`);
    }
    send(limit === 0 ? [] : past.filter((event) => isAbout(event, filter)).slice(-limit));
    try {
      if (follow === '1') await events.follow(cluster, last, send, signal);
      stream.end();
    } catch (error) {
      if (!signal.aborted) request.log.error({ err: error }, 'events could not be sent');
      stream.fail();
    }
    return reply;
  });
}
