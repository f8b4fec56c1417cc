import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { UserError } from '#core/errors.ts';
import { createRefresher } from './refresher.ts';

const context = { log: pino({ level: 'silent' }), signal: new AbortController().signal };

describe('createRefresher', () => {
  it('asks once more, and not more often, when asked again meanwhile', async () => {
    let calls = 0;
    const gate = Promise.withResolvers<void>();
    const refresher = createRefresher(
      async () => {
        calls += 1;
        await gate.promise;
      },
      'no answer',
      context,
    );
    const all = [refresher.refresh(), refresher.refresh(), refresher.refresh()];
    expect(calls).toBe(1);
    gate.resolve();
    await Promise.all(all);
    expect(calls).toBe(2);
  });

  it('tries again what may pass, and throws anything else', async () => {
    const answers = [
      new UserError('unavailable', 'away', { transient: true }),
      new Error('broken'),
    ];
    const refresher = createRefresher(() => Promise.reject(answers.shift()), 'no answer', context);
    await expect(refresher.refresh()).rejects.toThrow('broken');
  });

  it('goes on after a failure', async () => {
    let fails = true;
    const refresher = createRefresher(
      () => (fails ? Promise.reject(new Error('broken')) : Promise.resolve()),
      'no answer',
      context,
    );
    await expect(refresher.refresh()).rejects.toThrow('broken');
    fails = false;
    await expect(refresher.refresh()).resolves.toBeUndefined();
  });

  it('ends when aborted', async () => {
    const signal = AbortSignal.abort();
    const refresher = createRefresher(() => Promise.reject(new Error('never')), '', {
      ...context,
      signal,
    });
    await expect(refresher.refresh()).resolves.toBeUndefined();
  });
});
