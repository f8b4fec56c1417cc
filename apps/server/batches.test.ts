import { expect, it } from 'vitest';
import { createBatches } from './batches.ts';

it('does together what comes in together, and what comes in while it is busy', async () => {
  const batches: (readonly number[])[] = [];
  const submit = createBatches(async (items: readonly number[]) => {
    batches.push(items);
    await Promise.resolve();
    return items.map((item) => item * 2);
  });
  expect(await Promise.all([1, 2, 3].map(submit))).toEqual([2, 4, 6]);
  expect(await submit(4)).toBe(8);
  expect(batches).toEqual([[1, 2, 3], [4]]);
});

it('has some at once, each of some size, and answers each its own', async () => {
  const begun: (readonly number[])[] = [];
  const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const submit = createBatches(
    async (items: readonly number[]) => {
      begun.push(items);
      await gates[begun.length - 1]?.promise;
      return items.map((item) => item * 2);
    },
    { atOnce: 2, most: 2 },
  );
  const answers = Promise.all([1, 2, 3, 4, 5].map(submit));
  expect(begun).toEqual([
    [1, 2],
    [3, 4],
  ]);
  gates[2]?.resolve();
  gates[1]?.resolve();
  gates[0]?.resolve();
  expect(await answers).toEqual([2, 4, 6, 8, 10]);
  expect(begun).toEqual([[1, 2], [3, 4], [5]]);
});

it('fails those of a batch, and goes on', async () => {
  const submit = createBatches(
    async (items: readonly string[]) => {
      if (items.includes('bad')) throw new Error('no');
      return items;
    },
    { atOnce: 1, most: 1 },
  );
  const [first, bad] = [submit('good'), submit('bad')];
  await expect(bad).rejects.toThrow('no');
  expect(await first).toBe('good');
  expect(await submit('again')).toBe('again');
});
