import { connect } from 'node:http2';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { IngressAnswer, IngressRequest } from './cluster.ts';

const ANSWER_MS = 10_000;
const HERE = '127.0.0.1';

/** A port of this machine, or the path of a socket. */
type Door = { port: number } | { socketPath: string };

export interface IngressDoors {
  http: Door;
  https: Door;
}

/** Asks the Ingress behind these doors, whatever the host's name leads to; whose certificate it is the name must tell. */
export function askIngress(asked: IngressRequest, doors: IngressDoors): Promise<IngressAnswer> {
  const url = new URL(asked.url);
  return asked.version === '2' ? askHttp2(asked, url, doors.https) : ask(asked, url, doors);
}

function ask(
  { method, headers, bytes, enough }: IngressRequest,
  url: URL,
  doors: IngressDoors,
): Promise<IngressAnswer> {
  const isSecure = url.protocol === 'https:';
  const options = {
    host: HERE,
    ...(isSecure ? doors.https : doors.http),
    method,
    path: url.pathname + url.search,
    headers: { host: url.host, connection: 'close', ...headers },
    servername: url.hostname,
    rejectUnauthorized: false,
    // A resumed session shows no certificate.
    agent: false,
    signal: AbortSignal.timeout(ANSWER_MS),
  };
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestHttps : requestHttp)(options, (response) => {
      const certificate = certificateOf(response.socket);
      read(response, enough).then(
        (body) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: { ...texts(response.headers), ...certificate },
            body,
          }),
        reject,
      );
    });
    request.on('error', reject);
    request.on('upgrade', (response, socket, head) => {
      socket.unshift(head);
      socket.write(Buffer.alloc(bytes, 'x'));
      text(socket).then(
        (body) => resolve({ status: 101, headers: texts(response.headers), body }),
        reject,
      );
    });
    if (headers['upgrade'] !== undefined) request.end();
    else request.end(Buffer.alloc(bytes, 'x'));
  });
}

function askHttp2(
  { method, headers, enough }: IngressRequest,
  url: URL,
  door: Door,
): Promise<IngressAnswer> {
  return new Promise((resolve, reject) => {
    const servername = url.hostname;
    const session = connect(`https://${HERE}`, {
      createConnection: () =>
        connectTls({
          ...('port' in door ? { host: HERE, port: door.port } : { path: door.socketPath }),
          ALPNProtocols: ['h2'],
          servername,
          rejectUnauthorized: false,
        }),
    });
    session.setTimeout(ANSWER_MS, () => session.destroy(new Error('no answer')));
    session.on('error', reject);
    const stream = session.request({
      ':method': method,
      ':path': url.pathname,
      ':authority': url.host,
      ...headers,
    });
    stream.on('error', reject);
    stream.on('response', (answered) => {
      read(stream, enough)
        .then((body) =>
          resolve({ status: Number(answered[':status']), headers: texts(answered), body }),
        )
        .catch(reject)
        .finally(() => session.close());
    });
    stream.end();
  });
}

async function read(stream: Readable, enough = Infinity): Promise<string> {
  let body = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    body += chunk;
    if (body.length >= enough) break;
  }
  return body;
}

/** Whose certificate was shown, as if it were a header. */
function certificateOf(socket: Socket): { certificate?: string } {
  if (!(socket instanceof TLSSocket)) return {};
  return { certificate: String(socket.getPeerCertificate().subject?.CN) };
}

function texts(headers: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)] as const),
  );
}
