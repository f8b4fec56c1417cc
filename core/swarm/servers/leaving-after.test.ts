import { expect, it } from 'vitest';
import { DRAIN_MS } from './decide-servers.ts';
import { leavingAfter } from './leaving-after.ts';

it.each([
  { about: 'after what passes', failure: 'passing', failingMs: 0 },
  { about: 'for as long as that is given', failure: 'passing', failingMs: DRAIN_MS - 1 },
  { about: 'after a first refusal', failure: 'refused', failingMs: 0 },
] as const)('holds drains back $about', ({ failure, failingMs }) => {
  expect(leavingAfter({ failure, failingMs })).toEqual(new Map());
});

it.each([
  { about: 'where passes fail for long', failure: 'passing', failingMs: DRAIN_MS },
  { about: 'soon where Docker goes on refusing', failure: 'refused', failingMs: 10_000 },
  { about: 'at once where only an operator helps', failure: 'hopeless', failingMs: 0 },
] as const)('lets drains go on $about', ({ failure, failingMs }) => {
  expect(leavingAfter({ failure, failingMs })).toBeUndefined();
});
