import { expect, it } from 'vitest';
import { DRAIN_MS } from './decide-servers.ts';
import { failingAfter, leavingAfter } from './leaving-after.ts';
import type { Failing, PassFailure } from './leaving-after.ts';

type Passes = readonly (readonly [PassFailure, at: number])[];

/** What leaves servers after passes that failed, as of the last. */
function left(passes: Passes): ReturnType<typeof leavingAfter> {
  let failing: Failing | undefined;
  let now = 0;
  for (const [failure, at] of passes) {
    now = at;
    failing = failingAfter(failing, failure, at);
  }
  return failing === undefined ? undefined : leavingAfter(failing, now);
}

it.each<{ about: string; passes: Passes }>([
  { about: 'after what passes', passes: [['passing', 0]] },
  {
    about: 'for as long as that is given',
    passes: [
      ['passing', 0],
      ['passing', DRAIN_MS - 1],
    ],
  },
  { about: 'after a first refusal', passes: [['refused', 0]] },
  {
    about: 'after a first refusal, whatever was before',
    passes: [
      ['passing', 0],
      ['refused', 20_000],
    ],
  },
  {
    about: 'where a refusal comes again after something else',
    passes: [
      ['refused', 0],
      ['passing', 5_000],
      ['refused', 11_000],
    ],
  },
])('holds drains back $about', ({ passes }) => {
  expect(left(passes)).toEqual(new Map());
});

it.each<{ about: string; passes: Passes }>([
  {
    about: 'where passes fail for long',
    passes: [
      ['passing', 0],
      ['passing', DRAIN_MS],
    ],
  },
  {
    about: 'where they fail for long, in whatever way',
    passes: [
      ['passing', 0],
      ['refused', DRAIN_MS - 1],
      ['passing', DRAIN_MS],
    ],
  },
  {
    about: 'soon where Docker goes on refusing',
    passes: [
      ['refused', 0],
      ['refused', 10_000],
    ],
  },
  { about: 'at once where only an operator helps', passes: [['hopeless', 0]] },
])('lets drains go on $about', ({ passes }) => {
  expect(left(passes)).toBeUndefined();
});
