import { describe, expect, it } from 'vitest';
import { checkRef, isCommitId } from './ref.ts';

describe('checkRef', () => {
  it.each(['refs/heads/main', 'refs/heads/fix/a-b', 'refs/tags/v1.0', 'refs/heads/ü'])(
    'takes %s',
    (ref) => {
      expect(checkRef(ref)).toBe(ref);
    },
  );

  it.each([
    'main',
    '-x',
    'refs/heads/',
    'refs/heads/-x',
    'refs/heads/a..b',
    'refs/heads/a:b',
    'refs/heads/*',
    'refs/heads/a\nb',
    'refs/heads/x.lock',
    'refs/heads/.x',
    'refs/heads/a@{1}',
  ])('refuses %j', (ref) => {
    expect(() => checkRef(ref)).toThrow('is not the name of a ref');
  });
});

describe('isCommitId', () => {
  it.each([
    ['a'.repeat(40), true],
    ['a'.repeat(39), false],
    ['main', false],
    ['A'.repeat(40), false],
  ])('%s: %s', (text, is) => {
    expect(isCommitId(text)).toBe(is);
  });
});
