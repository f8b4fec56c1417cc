import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/**
 * Puts a distance before a server: what goes either way arrives that much later, whatever else is on its way. Host, port
 * and milliseconds of one way are its arguments; prints its own port, on 127.0.0.1. Ends with its input.
 */
const [host = '', port = '', ms = ''] = process.argv.slice(2);

function lead(from: Socket, to: Socket): void {
  // Timers of one length fire in the order in which they were set.
  from.on('data', (piece) => setTimeout(() => to.write(piece), Number(ms)));
  from.on('end', () => setTimeout(() => to.end(), Number(ms)));
  from.on('error', () => to.destroy());
}

const server = createServer((client) => {
  const there = connect(Number(port), host);
  client.setNoDelay();
  there.setNoDelay();
  lead(client, there);
  lead(there, client);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
process.stdin.once('end', () => process.exit()).resume();
