import { expect, it } from 'vitest';
import { createAside } from './aside.ts';

const ALL = ['s1', 's2', 's3'];
const NOW = 1_000_000;

function edge(node: string): { node: string; tried: string; message: string } {
  return { node, tried: 'configureEdge', message: `no edge on ${node}` };
}

function udp(node: string): { node: string; step: string; tried: string; message: string } {
  return { node, step: 'udp', tried: 'udp', message: `no UDP on ${node}` };
}

it('leaves servers aside as long as there is another one', () => {
  const aside = createAside();
  expect(aside.leave(edge('s1'), ALL, NOW)).toBe(true);
  expect(aside.leave(edge('s3'), ALL, NOW)).toBe(true);
  expect(aside.leave(edge('s2'), ALL, NOW)).toBe(false);
  expect(ALL.filter((node) => aside.isLeft(node))).toEqual(['s1', 's3']);
  expect(aside.problems()).toEqual(
    new Map([
      ['s1', 'no edge on s1'],
      ['s3', 'no edge on s3'],
    ]),
  );
});

it('leaves one step of a server aside, and goes on with the rest of it', () => {
  const aside = createAside();
  expect(aside.leave(udp('s1'), ALL, NOW)).toBe(true);
  expect(aside.isLeft('s1')).toBe(false);
  expect(aside.stepsLeft('s1')).toEqual(['udp']);
  expect(aside.stepsLeft('s2')).toEqual([]);
  expect(aside.leave(edge('s2'), ALL, NOW)).toBe(true);
  expect(aside.leave(udp('s3'), ALL, NOW)).toBe(false);
});

it('tries again soon at first, later each time, and soon again once it went well', () => {
  const aside = createAside();
  function waits(): number {
    aside.leave(edge('s1'), ALL, NOW);
    const [until = 0] = aside.retries();
    return until - NOW;
  }
  expect([waits(), waits(), waits()]).toEqual([1_000, 2_000, 4_000]);
  for (let time = 0; time < 10; time += 1) waits();
  expect(waits()).toBe(30_000);
  aside.expire(NOW + 29_999);
  expect(aside.isLeft('s1')).toBe(true);
  aside.expire(NOW + 30_000);
  expect(aside.isLeft('s1')).toBe(false);
  aside.done('s1', 'configureDns');
  expect(waits()).toBe(30_000);
  aside.done('s1', 'configureEdge');
  expect(waits()).toBe(1_000);
});

it('goes on at once where what a server waits for has come', () => {
  const aside = createAside();
  aside.leave(edge('s1'), ALL, NOW);
  aside.leave(udp('s1'), ALL, NOW);
  aside.again('s1');
  expect(aside.isLeft('s1')).toBe(false);
  expect(aside.stepsLeft('s1')).toEqual([]);
});

it('tries again at once where the clock was set back meanwhile', () => {
  const aside = createAside();
  aside.leave(edge('s1'), ALL, NOW);
  aside.expire(NOW - 3_600_000);
  expect(aside.isLeft('s1')).toBe(false);
});
