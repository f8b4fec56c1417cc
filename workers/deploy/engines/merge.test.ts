import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { merge } from './merge.ts';

async function* saying(...words: string[]): AsyncGenerator<string> {
  yield* words;
}

async function* breaking(word: string): AsyncGenerator<string> {
  yield word;
  await setImmediate();
  throw new Error('broken off');
}

async function all(sources: AsyncGenerator<string>[]): Promise<string[]> {
  const heard: string[] = [];
  for await (const word of merge(sources)) heard.push(word);
  return heard;
}

describe('merge', () => {
  it('yields what all of them do', async () => {
    expect((await all([saying('a', 'b'), saying(), saying('c')])).toSorted()).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('rejects where one of them does', async () => {
    await expect(all([breaking('a'), saying('b')])).rejects.toThrow('broken off');
  });

  it('leaves nothing that rejects unheard when nobody reads any more', async () => {
    const unheard: unknown[] = [];
    function hear(reason: unknown): void {
      unheard.push(reason);
    }
    process.on('unhandledRejection', hear);
    onTestFinished(() => void process.off('unhandledRejection', hear));
    for await (const word of merge([breaking('a')])) if (word === 'a') break;
    for (let turn = 0; turn < 10; turn += 1) await setImmediate();
    expect(unheard).toEqual([]);
  });
});
