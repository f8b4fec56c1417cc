import { expect, it } from 'vitest';
import { createHandOver } from './hand-over.ts';

it('keeps writers waiting until the reader has taken', async () => {
  const handOver = createHandOver<number>(2);
  let written = 0;
  async function write(): Promise<void> {
    for (let value = 1; value <= 5; value += 1) {
      await handOver.put(value);
      written = value;
    }
  }
  const writing = write();
  await new Promise(setImmediate);
  expect(written).toBe(1);
  const taken: (number | undefined)[] = [];
  while (taken.length < 5) {
    await handOver.ready();
    taken.push(handOver.take());
  }
  await writing;
  expect(taken).toEqual([1, 2, 3, 4, 5]);
  expect(handOver.take()).toBeUndefined();
});

it('lets writers go once it is closed', async () => {
  const handOver = createHandOver<number>(1);
  const writing = Promise.all([handOver.put(1), handOver.put(2)]);
  handOver.close();
  await writing;
  await handOver.put(3);
  expect([handOver.take(), handOver.take(), handOver.take()]).toEqual([1, 2, undefined]);
});
