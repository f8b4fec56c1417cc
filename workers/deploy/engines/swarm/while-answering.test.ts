import { once } from 'node:events';
import { expect, it } from 'vitest';
import { whileAnswering } from './while-answering.ts';

const never = new AbortController().signal;

/** Ends when it is aborted alone. */
async function hang(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw signal.reason;
}

it('ends work with a server that answers no more', async () => {
  const answers = [true, false];
  const asked = { answers: () => Promise.resolve(answers.shift() === true), everyMs: 1 };
  await expect(whileAnswering(asked, never, hang)).rejects.toThrow('the server answers no more');
  expect(answers).toEqual([]);
});

it('has work with one that answers take its time', async () => {
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<string>();
  function answers(): Promise<boolean> {
    asked += 1;
    if (asked === 3) resolve('done');
    return Promise.resolve(true);
  }
  expect(await whileAnswering({ answers, everyMs: 1 }, never, () => promise)).toBe('done');
});

it('ends with who asked for it', async () => {
  const stop = new AbortController();
  const answering = { answers: () => Promise.resolve(true), everyMs: 1 };
  const working = whileAnswering(answering, stop.signal, hang);
  stop.abort(new Error('stopped'));
  await expect(working).rejects.toThrow('stopped');
});
