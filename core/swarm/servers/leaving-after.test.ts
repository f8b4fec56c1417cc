import { expect, it } from 'vitest';
import { DRAIN_MS } from './decide-servers.ts';
import { leavingAfter } from './leaving-after.ts';

it.each([
  { about: 'holds drains back after an error that may pass', mayPass: true, failingMs: 0 },
  { about: 'holds them for as long as is given', mayPass: true, failingMs: DRAIN_MS - 1 },
])('$about', ({ mayPass, failingMs }) => {
  expect(leavingAfter({ mayPass, failingMs })).toEqual(new Map());
});

it.each([
  { about: 'lets them go on where passes fail for long', mayPass: true, failingMs: DRAIN_MS },
  { about: 'lets them go on at once where only an operator helps', mayPass: false, failingMs: 0 },
])('$about', ({ mayPass, failingMs }) => {
  expect(leavingAfter({ mayPass, failingMs })).toBeUndefined();
});
