import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createBatches } from './batches.ts';

it('does together what comes in together, and what comes in while it is busy', async () => {
  const batches: (readonly number[])[] = [];
  const gate = Promise.withResolvers<void>();
  const submit = createBatches(async (items: readonly number[]) => {
    batches.push(items);
    await gate.promise;
    return Promise.allSettled(items.map(async (item) => item * 2));
  });
  const first = Promise.all([1, 2, 3].map(submit));
  await setImmediate();
  const second = Promise.all([4, 5].map(submit));
  gate.resolve();
  expect(await first).toEqual([2, 4, 6]);
  expect(await second).toEqual([8, 10]);
  expect(await submit(6)).toBe(12);
  expect(batches).toEqual([[1, 2, 3], [4, 5], [6]]);
});

it('fails those of a batch, or one of them, and goes on', async () => {
  const submit = createBatches(async (items: readonly string[]) => {
    await setImmediate();
    if (items.includes('bad')) throw new Error('no');
    return Promise.allSettled(items.map(check));
  });
  const bad = submit('bad');
  await setImmediate();
  const good = submit('good');
  await expect(bad).rejects.toThrow('no');
  expect(await good).toBe('good');
  const [fair, poor] = [submit('fair'), submit('poor')];
  await expect(poor).rejects.toThrow('not that one');
  expect(await fair).toBe('fair');
});

async function check(item: string): Promise<string> {
  if (item === 'poor') throw new Error('not that one');
  return item;
}
