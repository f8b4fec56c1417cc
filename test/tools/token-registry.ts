import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A door in front of a registry that opens to tokens, which it gives to those with the login, as Docker Hub does. */
export async function startTokenDoor(
  registry: { port: number },
  login: { username: string; password: string },
): Promise<{ host: string; stop: () => void }> {
  const token = 'token-for-those-with-the-login';
  const basic = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  let host = '';

  function answer(asked: IncomingMessage, response: ServerResponse): void {
    if (asked.url?.startsWith('/token') === true) {
      const allowed = asked.headers.authorization === basic;
      response.writeHead(allowed ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(allowed ? { token } : { details: 'incorrect login' }));
      return;
    }
    if (asked.headers.authorization === `Bearer ${token}`) return pass(asked, response);
    asked.resume();
    const challenge = `Bearer realm="http://${host}/token",service="test"`;
    response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }),
    );
  }

  function pass(asked: IncomingMessage, response: ServerResponse): void {
    const { method, url: path, headers } = asked;
    const passed = request(
      { host: '127.0.0.1', port: registry.port, method, path, headers },
      (answered) => {
        response.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.pipe(response);
      },
    );
    passed.once('error', () => response.destroy());
    asked.pipe(passed);
  }

  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
