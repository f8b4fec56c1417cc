import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createSharedLock } from './shared-lock.ts';

const NEVER = new AbortController().signal;

function setUp(): {
  begin: (name: string, how: 'beside' | 'alone', signal?: AbortSignal) => Promise<void>;
  end: (name: string) => Promise<void>;
  going: Set<string>;
} {
  const lock = createSharedLock();
  const going = new Set<string>();
  const ends = new Map<string, () => void>();
  return {
    going,
    begin: (name, how, signal = NEVER) =>
      lock[how](signal, async () => {
        going.add(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        ends.set(name, resolve);
        await promise;
        going.delete(name);
      }),
    async end(name) {
      await setImmediate();
      ends.get(name)?.();
      await setImmediate();
    },
  };
}

it('lets those beside each other go on, and one alone when they have ended', async () => {
  const { begin, end, going } = setUp();
  void begin('a', 'beside');
  void begin('b', 'beside');
  void begin('c', 'alone');
  void begin('d', 'beside');
  void begin('e', 'alone');
  await end('b');
  expect([...going]).toEqual(['a']);
  await end('a');
  expect([...going]).toEqual(['c']);
  await end('c');
  expect([...going]).toEqual(['d']);
  await end('d');
  expect([...going]).toEqual(['e']);
});

it('does not let by what came after one that gave up', async () => {
  const { begin, end, going } = setUp();
  const given = new AbortController();
  void begin('a', 'beside');
  const waiting = begin('b', 'alone', given.signal);
  void begin('c', 'alone');
  given.abort(new Error('too long'));
  await expect(waiting).rejects.toThrow('too long');
  expect([...going]).toEqual(['a']);
  await end('a');
  expect([...going]).toEqual(['c']);
});

it('goes on after work that failed', async () => {
  const lock = createSharedLock();
  const failed = lock.beside(NEVER, () => Promise.reject(new Error('no')));
  await expect(failed).rejects.toThrow('no');
  expect(await lock.alone(NEVER, () => Promise.resolve('done'))).toBe('done');
});
