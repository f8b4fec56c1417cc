import type { Redis } from 'ioredis';
import type { RunNews } from '#core/ports.ts';
import type { Run } from '#core/run/run.ts';
import { channelOf } from './run-keys.ts';
import { subscribe } from './subscribe.ts';

type OnNews = (news: RunNews) => void;

/** News of all runs. */
export interface AllNews {
  follow(onNews: OnNews, signal: AbortSignal): Promise<void>;
  /**
   * Records, and tells of the new runs that are answered. Only this process hears of those: nobody else knows their ids
   * yet. Of a run that went on meanwhile newer news has been told.
   */
  recording<T>(record: () => Promise<{ fresh: readonly Run[]; answer: T }>): Promise<T>;
}

/** They come once, and are read once, however many listen. */
export function createAllNews(redis: Redis): AllNews {
  const listeners = new Set<OnNews>();
  const heardMeanwhile = new Set<Set<string>>();
  let hearing = new AbortController();

  function tell(news: RunNews): void {
    for (const listener of listeners) listener(news);
  }

  function onMessage(text: string): void {
    const news = JSON.parse(text) as RunNews;
    if (news.kind === 'run') for (const heard of heardMeanwhile) heard.add(news.run.id);
    tell(news);
  }

  return {
    async follow(onNews, signal) {
      if (signal.aborted) return;
      // A listener of its own, also for one function that follows twice.
      function listener(news: RunNews): void {
        onNews(news);
      }
      listeners.add(listener);
      if (listeners.size === 1) {
        hearing = new AbortController();
        void subscribe(redis, { pattern: channelOf('*'), onMessage, signal: hearing.signal });
      }
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      listeners.delete(listener);
      if (listeners.size === 0) hearing.abort();
    },
    async recording(record) {
      const heard = new Set<string>();
      heardMeanwhile.add(heard);
      try {
        const { fresh, answer } = await record();
        for (const run of fresh) if (!heard.has(run.id)) tell({ kind: 'run', run });
        return answer;
      } finally {
        heardMeanwhile.delete(heard);
      }
    },
  };
}
