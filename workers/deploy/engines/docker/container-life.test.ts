import { describe, expect, it } from 'vitest';
import { beginLife, continueLife } from './container-life.ts';
import type { ContainerLife } from './container-life.ts';

interface Look {
  startedAt: string;
  count: number;
  status?: string;
}

function seen({ startedAt, count, status = 'running' }: Look): Parameters<typeof beginLife>[0] {
  const StartedAt = startedAt === '' ? '0001-01-01T00:00:00Z' : `2026-01-01T00:${startedAt}Z`;
  return {
    RestartCount: count,
    State: { Status: status, StartedAt, FinishedAt: StartedAt, ExitCode: 1, OOMKilled: false },
  };
}

function look(...looks: [Look, ...Look[]]): ContainerLife {
  const [first, ...rest] = looks;
  return rest.reduce<ContainerLife>(
    (life, each) => continueLife(life, seen(each)),
    beginLife(seen(first)),
  );
}

describe('restarts', () => {
  it.each<{ name: string; looks: [Look, ...Look[]]; restarts: number; delayMs?: number }>([
    { name: 'none', looks: [{ startedAt: '00:01', count: 0 }], restarts: 0 },
    {
      name: 'the first start is none',
      looks: [
        { startedAt: '', count: 0, status: 'created' },
        { startedAt: '00:01', count: 0 },
      ],
      restarts: 0,
    },
    {
      name: 'one by Docker',
      looks: [
        { startedAt: '00:01', count: 0 },
        { startedAt: '00:02', count: 1 },
      ],
      restarts: 1,
      delayMs: 10_000,
    },
    {
      name: 'one that Docker has not made yet does not count',
      looks: [
        { startedAt: '00:01', count: 0 },
        { startedAt: '00:01', count: 1, status: 'restarting' },
      ],
      restarts: 0,
    },
    {
      name: 'two by Docker between two looks',
      looks: [
        { startedAt: '00:01', count: 0 },
        { startedAt: '00:03', count: 3, status: 'restarting' },
      ],
      restarts: 2,
      delayMs: 20_000,
    },
    {
      name: 'one by us after one by Docker, who counts from 0 again',
      looks: [
        { startedAt: '00:01', count: 0 },
        { startedAt: '00:02', count: 1 },
        { startedAt: '00:12', count: 0 },
      ],
      restarts: 2,
      delayMs: 20_000,
    },
  ])('$name', ({ looks, restarts, delayMs }) => {
    const life = look(...looks);
    expect(life.restarts).toBe(restarts);
    expect(life.backoff?.delayMs).toBe(delayMs);
  });

  it('go on from what an earlier worker counted', () => {
    expect(beginLife(seen({ startedAt: '00:01', count: 1 }), 4).restarts).toBe(4);
  });

  it('end being held back', () => {
    const held = { ...look({ startedAt: '00:01', count: 0 }), restartAt: 9 };
    expect(continueLife(held, seen({ startedAt: '00:01', count: 0 })).restartAt).toBe(9);
    expect(continueLife(held, seen({ startedAt: '00:02', count: 0 })).restartAt).toBeUndefined();
  });
});
