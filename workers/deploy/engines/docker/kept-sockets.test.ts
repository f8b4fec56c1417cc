import { expect, it } from 'vitest';
import { keepSockets, withoutKept } from './kept-sockets.ts';

const BEFORE = `peers affinity
  bind unix@/tmp/affinity.sock
  server windlass
`;
const NEXT = `${BEFORE}
listen default.web:30080
  bind *:30080
  bind unix@/sockets/30080 accept-proxy
`;

it('binds no socket anew that the configuration of before has, unless HAProxy only starts', () => {
  expect(keepSockets(NEXT, BEFORE)).toBe(`peers affinity
.if defined(HAPROXY_MWORKER_REEXEC)
  bind unix@/tmp/affinity.sock uid 1
.else
  bind unix@/tmp/affinity.sock
.endif
  server windlass

listen default.web:30080
  bind *:30080
  bind unix@/sockets/30080 accept-proxy
`);
});

it.each([undefined, BEFORE, NEXT])('can be undone, whatever was before', (before) => {
  expect(withoutKept(keepSockets(NEXT, before))).toBe(NEXT);
});

it('is the same after a configuration that has it already', () => {
  expect(keepSockets(NEXT, keepSockets(NEXT, NEXT))).toBe(keepSockets(NEXT, NEXT));
});
