import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { headersOf } from '#core/docker/probe-request.ts';
import type { HttpAction } from '#core/docker/probe-request.ts';
import type { Action } from '#core/docker/world.ts';
import type { ProbeResult } from './fold-probe.ts';
import { httpResult } from './http-probe.ts';

const LONGEST_BODY = 1_000;
interface Headers {
  ':status'?: number;
  'grpc-status'?: string;
  'grpc-message'?: string;
}

/** Before each message of gRPC: whether it is compressed, and its length. */
const HEAD_BYTES = 5;
const SERVING_FIELD = 0x08;
/** In the words of grpc.health.v1. */
const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** A request over TLS on a connection that is there; whose certificate it is does not matter, as in Kubernetes. */
export function askHttps(
  connection: Duplex,
  address: string,
  action: HttpAction,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const name = action.host ?? '';
  const secure = connectTls({
    socket: connection,
    rejectUnauthorized: false,
    ...(name === '' || isIP(name) > 0 ? {} : { servername: name }),
  });
  return new Promise((resolve, reject) => {
    secure.once('error', reject);
    const asking = request({
      createConnection: () => secure,
      path: action.path,
      headers: Object.fromEntries(headersOf(address, action)),
      signal,
    });
    asking.once('error', reject);
    asking.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        if (body.length < LONGEST_BODY) body += text;
      });
      response.once('close', () => resolve(httpResult(response.statusCode ?? 0, firstLine(body))));
    });
    asking.end();
  });
}

/** `grpc.health.v1.Health/Check` on a connection that is there. */
export function askGrpc(
  connection: Duplex,
  { port, service }: Extract<Action, { kind: 'grpc' }>,
  address: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const client = connectHttp2(`http://${address}:${port}`, { createConnection: () => connection });
  return new Promise<ProbeResult>((resolve, reject) => {
    client.once('error', reject);
    const asking = client.request(
      {
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        'user-agent': 'windlass-probe',
        te: 'trailers',
      },
      { signal },
    );
    const answer: Buffer[] = [];
    const said: Headers = {};
    asking.once('error', reject);
    asking.on('response', (headers) => Object.assign(said, headers));
    asking.on('trailers', (headers) => Object.assign(said, headers));
    asking.on('data', (chunk: Buffer) => answer.push(chunk));
    asking.once('close', () => resolve(grpcResult(Buffer.concat(answer), said)));
    asking.end(checkRequest(service));
  }).finally(() => client.destroy());
}

/** `HealthCheckRequest { service }`, with gRPC's own head before it. */
function checkRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
}

export function grpcResult(answer: Buffer, headers: Headers): ProbeResult {
  const { 'grpc-status': status = '0', 'grpc-message': said = '', ':status': http } = headers;
  if (status !== '0') {
    const message = decodeURIComponent(said).trim();
    return { ok: false, answer: `gRPC status ${status}${message === '' ? '' : `: ${message}`}` };
  }
  if (answer.length < HEAD_BYTES) return { ok: false, answer: `no gRPC: HTTP ${http ?? 'closed'}` };
  // HealthCheckResponse has one field, a small number; its zero is left out.
  const [field = SERVING_FIELD, serving = 0] = answer.subarray(HEAD_BYTES);
  const word = field === SERVING_FIELD ? (SERVING_STATUSES[serving] ?? String(serving)) : 'UNKNOWN';
  return { ok: word === 'SERVING', answer: word };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
