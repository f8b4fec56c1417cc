import { describe, expect, it } from 'vitest';
import type { ReadinessProbe } from '#core/docker/world.ts';
import { parseAnswer, probeRequest } from './probe-shell.ts';

const probe: ReadinessProbe = {
  kind: 'http',
  port: 8080,
  path: '/healthz?a=b',
  headers: { host: 'shop.example', 'X-Probe': '1' },
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 2,
  successThreshold: 1,
  failureThreshold: 3,
};

describe('probeRequest', () => {
  it('is one line with the whole HTTP request, own headers first', () => {
    const line = probeRequest(7, { address: '10.0.0.5', probe });
    const [id, kind, seconds, address, port, request = ''] = line.trimEnd().split(' ');
    expect([id, kind, seconds, address, port]).toEqual(['7', 'http', '2', '10.0.0.5', '8080']);
    expect(Buffer.from(request, 'base64').toString()).toBe(
      'GET /healthz?a=b HTTP/1.1\r\nUser-Agent: windlass-probe\r\nAccept: */*\r\nConnection: close\r\n' +
        'host: shop.example\r\nX-Probe: 1\r\n\r\n',
    );
    expect(line.indexOf('\n')).toBe(line.length - 1);
  });
});

describe('parseAnswer', () => {
  it.each([
    ['3 open', true, 'connected'],
    ['3 http HTTP/1.1 200 OK\r\tfine', true, 'HTTP 200'],
    ['3 http HTTP/1.0 302 Found\r\t', true, 'HTTP 302'],
    ['3 http HTTP/1.1 503 Service Unavailable\r\tstarting\r', false, 'HTTP 503: starting'],
    ['3 http HTTP/1.1 404 Not Found\r\t', false, 'HTTP 404'],
    ['3 http SSH-2.0-OpenSSH\r\t', false, 'no HTTP: SSH-2.0-OpenSSH'],
    [
      "3 error nc: can't connect to remote host (10.0.0.5): Connection refused",
      false,
      'connection refused',
    ],
    ['3 error nc: timed out', false, 'connection timed out'],
    ['3 error no answer within 2 s', false, 'no answer within 2 s'],
  ])('%s', (line, ok, answer) => {
    expect(parseAnswer(line)).toEqual({ id: 3, result: { ok, answer } });
  });

  it.each(['', 'sh: out of memory', '3'])('is no answer: %s', (line) => {
    expect(parseAnswer(line)).toBeUndefined();
  });
});
