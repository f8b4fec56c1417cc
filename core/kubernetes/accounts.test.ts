import { expect, it } from 'vitest';
import { Accounts } from '#core/kubernetes/accounts.ts';

it.each([
  ['system:serviceaccount:shop:deploy', true],
  ['jane@example.org', true],
  ['jürgen', false],
  ['jane✓', false],
  ['jane doe', false],
  [':jane', false],
  ['', false],
])('%j is the name of an account: %s', (account, expected) => {
  expect(Accounts.safeParse({ '*': account }).success).toBe(expected);
});
