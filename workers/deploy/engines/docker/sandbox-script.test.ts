import { describe, expect, it } from 'vitest';
import {
  parseAnswer,
  parseEnding,
  parseProbed,
  probeRequest,
  runRequest,
} from './sandbox-script.ts';

const action = {
  kind: 'http',
  scheme: 'http',
  port: 8080,
  path: '/healthz?a=b',
  headers: { host: 'shop.example', 'X-Probe': '1' },
} as const;

describe('probeRequest', () => {
  it('is one line with the whole HTTP request, own headers first', () => {
    const line = probeRequest(7, { address: '10.0.0.5', action, timeoutSeconds: 2 });
    const [id, kind, seconds, address, port, request = ''] = line.trimEnd().split(' ');
    expect([id, kind, seconds, address, port]).toEqual(['7', 'http', '2', '10.0.0.5', '8080']);
    expect(Buffer.from(request, 'base64').toString()).toBe(
      'GET /healthz?a=b HTTP/1.1\r\nUser-Agent: windlass-probe\r\nAccept: */*\r\nConnection: close\r\n' +
        'host: shop.example\r\nX-Probe: 1\r\n\r\n',
    );
    expect(line.indexOf('\n')).toBe(line.length - 1);
  });
});

describe('runRequest', () => {
  it('tells how many bytes the script has', () => {
    expect(runRequest(7, "echo 'é'\n")).toBe("7 run 10\necho 'é'\n");
  });
});

describe('parseAnswer', () => {
  it('tells which request is answered', () => {
    expect(parseAnswer('3 http HTTP/1.1 200 OK\r\tfine')).toEqual({
      id: 3,
      text: 'http HTTP/1.1 200 OK\r\tfine',
    });
  });

  it.each(['', 'sh: out of memory', '3'])('is no answer: %s', (line) => {
    expect(parseAnswer(line)).toBeUndefined();
  });
});

describe('parseProbed', () => {
  it.each([
    ['open', true, 'connected'],
    ['http HTTP/1.1 200 OK\r\tfine', true, 'HTTP 200'],
    ['http HTTP/1.0 302 Found\r\t', true, 'HTTP 302'],
    ['http HTTP/1.1 503 Service Unavailable\r\tstarting\r', false, 'HTTP 503: starting'],
    ['http HTTP/1.1 404 Not Found\r\t', false, 'HTTP 404'],
    ['http SSH-2.0-OpenSSH\r\t', false, 'no HTTP: SSH-2.0-OpenSSH'],
    [
      "error nc: can't connect to remote host (10.0.0.5): Connection refused",
      false,
      'connection refused',
    ],
    ['error nc: timed out', false, 'connection timed out'],
    ['error no answer within 2 s', false, 'no answer within 2 s'],
  ])('%s', (text, ok, answer) => {
    expect(parseProbed(text)).toEqual({ ok, answer });
  });

  it('is no result of a probe', () => {
    expect(parseProbed('ended 0 ')).toBeUndefined();
  });
});

describe('parseEnding', () => {
  it.each([
    ['ended 0 ', 0, ''],
    ['ended 2 ip: SIOCGIFFLAGS: No such device ', 2, 'ip: SIOCGIFFLAGS: No such device'],
  ])('%s', (text, exitCode, said) => {
    expect(parseEnding(text)).toEqual({ exitCode, said });
  });
});
