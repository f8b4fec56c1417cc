import { expect, it } from 'vitest';
import { troubleListener } from './trouble.ts';

function listen(): { tell: (error: Error) => void; told: unknown[]; clock: { now: number } } {
  const told: unknown[] = [];
  const clock = { now: 0 };
  const log = { warn: (fields: unknown) => void told.push(fields) };
  return { tell: troubleListener(log, () => clock.now), told, clock };
}

it('tells each kind of trouble once in a while', () => {
  const { tell, told, clock } = listen();
  for (const ms of [0, 100, 29_999, 30_000, 30_100]) {
    clock.now = ms;
    tell(new Error('connect ECONNREFUSED'));
  }
  tell(new Error('READONLY'));
  expect(told).toEqual([
    { reason: 'connect ECONNREFUSED' },
    { reason: 'connect ECONNREFUSED' },
    { reason: 'READONLY' },
  ]);
});

it('names the code where there is no message', () => {
  const { tell, told } = listen();
  tell(Object.assign(new Error(''), { code: 'ECONNREFUSED' }));
  expect(told).toEqual([{ reason: 'ECONNREFUSED' }]);
});
