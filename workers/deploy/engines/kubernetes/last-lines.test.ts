import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { pino } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { clientOf } from '#adapters/kubernetes/testing/client-of.ts';
import { keptPod } from '#core/kubernetes/testing/kept-pod.ts';
import { createLastLines } from './last-lines.ts';
import type { LastLines } from './last-lines.ts';

const NEVER = new AbortController().signal;
const POD = keptPod({
  containers: [
    {
      name: 'main',
      image: 'web:1',
      state: 'waiting',
      ready: false,
      restarts: 3,
      reason: 'CrashLoopBackOff',
      last: { reason: 'Error', exitCode: 3 },
    },
  ],
});

afterEach(() => void vi.useRealTimers());

/** Of an API server that answers each time it is asked for a log with the next of these; the last one stays. */
async function readsOf(answers: ((response: ServerResponse) => void)[]): Promise<{
  lines: LastLines;
  asked: () => number;
  told: () => string | undefined;
}> {
  let asked = 0;
  const server = createServer((_request, response) => {
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    answer?.(response);
  });
  const client = await clientOf(server);
  const lines = createLastLines({ client, cluster: 'c', log: pino({ level: 'silent' }) });
  return {
    lines,
    asked: () => asked,
    told: () => lines.told(POD).containers[0]?.last?.message,
  };
}

function breakOff(response: ServerResponse): void {
  response.destroy();
}

function wrote(response: ServerResponse): void {
  response.end('no database\n');
}

function refuse(status: number): (response: ServerResponse) => void {
  return (response) => void response.writeHead(status).end('{}');
}

it.each([
  ['broken off', breakOff],
  ['408', refuse(408)],
  ['429', refuse(429)],
  ['500', refuse(500)],
])('reads again a while later after %s', async (_name, first) => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
  const { lines, asked, told } = await readsOf([first, wrote]);
  await lines.learn([POD], NEVER);
  await lines.learn([POD], NEVER);
  expect(asked()).toBe(1);
  vi.setSystemTime(10_000);
  await lines.learn([POD], NEVER);
  expect(told()).toBe('no database');
  vi.setSystemTime(20_000);
  await lines.learn([POD], NEVER);
  expect(asked()).toBe(2);
});

it('does not ask again for what it may not read', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
  const { lines, asked, told } = await readsOf([refuse(403), wrote]);
  await lines.learn([POD], NEVER);
  vi.setSystemTime(10_000);
  await lines.learn([POD], NEVER);
  expect(asked()).toBe(1);
  expect(told()).toBeUndefined();
});
