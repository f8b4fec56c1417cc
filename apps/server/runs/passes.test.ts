import { expect, it } from 'vitest';
import { createPasses } from './passes.ts';

it('serves all that wait with one pass, which sees what was there when they called', async () => {
  const gates: (() => void)[] = [];
  const seen: string[] = [];
  let there = 'one';
  const request = createPasses(async () => {
    seen.push(there);
    await new Promise<void>((open) => {
      gates.push(open);
    });
  });
  const first = request('run', undefined);
  there = 'two';
  const others = [request('run', undefined), request('run', undefined)];
  gates[0]?.();
  await first;
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.();
  await Promise.all(others);
  expect(seen).toEqual(['one', 'two']);
});

it('does not let one that fails keep the next from its turn', async () => {
  let tries = 0;
  const request = createPasses(async () => {
    tries += 1;
    if (tries === 1) throw new Error('once');
  });
  const results = await Promise.allSettled([request('a', 0), request('a', 0)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
});
