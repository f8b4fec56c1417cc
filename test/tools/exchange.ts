import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const ANSWER_MS = 5_000;

/** The datagram that comes back from a port of this machine, or another; takes an answer only from where it was sent to. */
export async function exchange(
  port: number,
  datagram: Uint8Array,
  host = '127.0.0.1',
): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, host);
    await once(socket, 'connect');
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = once(socket, 'message', { signal });
    socket.send(datagram);
    const [message] = (await answer) as [Buffer];
    return message.toString('latin1');
  } finally {
    socket.close();
  }
}
