import type { Redis } from 'ioredis';
import { ClusterEvent } from '#core/events/event.ts';
import type { EventStore } from '#core/ports.ts';
import { subscribe } from './subscribe.ts';

const EVENTS_KEPT = 5_000;

/** Events of each cluster as a capped stream in Redis; who follows reads on from where it was, so that none is missed. */
export function createEventStore(redis: Redis): EventStore {
  return {
    async append(cluster, events) {
      const key = keyOf(cluster);
      const writes = redis.multi();
      for (const event of events)
        writes.xadd(key, 'MAXLEN', '~', EVENTS_KEPT, '*', 'event', JSON.stringify(event));
      await writes.publish(key, '').exec();
    },
    async read(cluster) {
      const entries = await redis.xrange(keyOf(cluster), '-', '+');
      const last = entries.at(-1)?.[0] ?? '0-0';
      return { events: entries.map(parse), last };
    },
    async follow(cluster, from, onEvents, signal) {
      const key = keyOf(cluster);
      let last = from;
      let reading = Promise.resolve();
      async function readOn(): Promise<void> {
        const entries = await redis.xrange(key, `(${last}`, '+');
        last = entries.at(-1)?.[0] ?? last;
        if (entries.length > 0 && !signal.aborted) onEvents(entries.map(parse));
      }
      function ring(): void {
        reading = reading.then(readOn).catch(() => {
          // The connection broke: once it is back, `onReady` reads on.
        });
      }
      await subscribe(redis, {
        pattern: key,
        onMessage: ring,
        onReady: async () => ring(),
        signal,
      });
      await reading;
    },
  };
}

function parse([, fields]: [string, string[]]): ClusterEvent {
  return ClusterEvent.parse(JSON.parse(fields[1] ?? ''));
}

function keyOf(cluster: string): string {
  return `windlass:events:${cluster}`;
}
