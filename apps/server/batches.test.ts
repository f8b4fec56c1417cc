import { expect, it } from 'vitest';
import { createBatches } from './batches.ts';

it('does together what comes in while it is busy', async () => {
  const batches: (readonly number[])[] = [];
  const submit = createBatches(async (items: readonly number[]) => {
    batches.push(items);
    await Promise.resolve();
    return items.map((item) => item * 2);
  });
  expect(await Promise.all([1, 2, 3].map(submit))).toEqual([2, 4, 6]);
  expect(await submit(4)).toBe(8);
  expect(batches).toEqual([[1], [2, 3], [4]]);
});

it('fails those of a batch, and goes on', async () => {
  const submit = createBatches(async (items: readonly string[]) => {
    if (items.includes('bad')) throw new Error('no');
    return items;
  });
  const [first, bad] = [submit('good'), submit('bad')];
  await expect(bad).rejects.toThrow('no');
  expect(await first).toBe('good');
  expect(await submit('again')).toBe('again');
});
