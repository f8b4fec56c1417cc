import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { createInternalCa } from './internal-ca.ts';

const DAY_MS = 86_400_000;
const from = Date.UTC(2026, 0, 1);
const wanted = { hosts: ['a.test', '*.b.test'], from, until: from + 90 * DAY_MS };

it('signs certificates that another worker of the installation vouches for', async () => {
  const issued = new X509Certificate(await createInternalCa('secret', 'one').issue(wanted));
  const root = new X509Certificate(await createInternalCa('secret', 'one').certificate());
  expect(issued.checkIssued(root) && issued.verify(root.publicKey)).toBe(true);
  expect(['a.test', 'x.b.test', 'b.test'].map((host) => issued.checkHost(host))).toEqual([
    'a.test',
    '*.b.test',
    undefined,
  ]);
  expect(issued.validToDate).toEqual(new Date(wanted.until));
  expect([issued.ca, root.ca]).toEqual([false, true]);
});

it('is another authority for another secret', async () => {
  const issued = new X509Certificate(await createInternalCa('secret', 'one').issue(wanted));
  const root = new X509Certificate(await createInternalCa('other', 'one').certificate());
  expect(issued.verify(root.publicKey)).toBe(false);
});
