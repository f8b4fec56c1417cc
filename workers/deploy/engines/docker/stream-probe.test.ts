import { expect, it } from 'vitest';
import { grpcResult } from './stream-probe.ts';

it.each([
  { name: 'serving', body: [0, 0, 0, 0, 2, 8, 1], ok: true, answer: 'SERVING' },
  { name: 'not serving', body: [0, 0, 0, 0, 2, 8, 2], ok: false, answer: 'NOT_SERVING' },
  { name: 'an empty message', body: [0, 0, 0, 0, 0], ok: false, answer: 'UNKNOWN' },
  {
    name: 'no such service',
    body: [],
    headers: { ':status': 200, 'grpc-status': '5', 'grpc-message': 'unknown%20service' },
    ok: false,
    answer: 'gRPC status 5: unknown service',
  },
  {
    name: 'a web server',
    body: [],
    headers: { ':status': 404 },
    ok: false,
    answer: 'no gRPC: HTTP 404',
  },
])('tells $name', ({ body, headers = { ':status': 200, 'grpc-status': '0' }, ok, answer }) => {
  expect(grpcResult(Buffer.from(body), headers)).toEqual({ ok, answer });
});
