import { once } from 'node:events';
import { connect } from 'node:net';

/** One kept connection, as bare as can be: what a benchmark's client costs, it takes from the server on two cores. */
export interface Connection {
  /** One request, whole; answers the status. The answer must say its length. */
  ask(this: void, request: Buffer): Promise<number>;
  close(this: void): void;
}

export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.setNoDelay(true);
  let pending: PromiseWithResolvers<number> | undefined;
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    const head = received.indexOf('\r\n\r\n');
    if (head === -1) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1]);
    if (received.length < head + 4 + length) return;
    const status = Number(received.slice(9, 12));
    received = '';
    pending?.resolve(status);
  });
  // It closes then, too: who waits for an answer is told, and a connection at rest may end as it likes.
  socket.on('error', (error) => pending?.reject(error));
  socket.on('close', () => pending?.reject(new Error('the server closed the connection')));
  return {
    ask(request) {
      pending = Promise.withResolvers<number>();
      socket.write(request);
      return pending.promise;
    },
    close: () => socket.destroy(),
  };
}
