import { expect, it } from 'vitest';
import { nearest } from '#core/suggest.ts';

it.each([
  { name: 'imags', candidates: ['image', 'images'], near: 'image' },
  { name: 'imagse', candidates: ['source', 'images'], near: 'images' },
  { name: 'Replicas', candidates: ['replicas'], near: 'replicas' },
  { name: 'nme', candidates: ['cluster', 'name'], near: 'name' },
  { name: 'y', candidates: ['x'], near: undefined },
  { name: 'production', candidates: ['local', 'staging'], near: undefined },
  { name: 'a', candidates: [], near: undefined },
])('$name of $candidates is $near', ({ name, candidates, near }) => {
  expect(nearest(name, candidates)).toBe(near);
});
