import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

/**
 * The least that can take webhooks here: Node's own HTTP server, which answers 202 once the signature is right and, with
 * `add`, one job is in a bare queue. A process of its own, as the server is; prints its port.
 */
const [redisPath = '', does = ''] = process.argv.slice(2);
const connection = new Redis(redisPath, { maxRetriesPerRequest: null });
const queue = new Queue('bare', { connection });

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    receive(Buffer.concat(chunks), String(request.headers['x-hub-signature-256'])).then(
      (status) => response.writeHead(status, { 'content-length': 0 }).end(),
      (error: unknown) => response.destroy(error as Error),
    );
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);

async function receive(body: Buffer, signature: string): Promise<number> {
  const digest = createHmac('sha256', 'webhook secret').update(body).digest();
  const given = Buffer.from(signature.replace('sha256=', ''), 'hex');
  if (given.length !== digest.length || !timingSafeEqual(given, digest)) return 401;
  if (does === 'add') await queue.add('build', JSON.parse(body.toString('utf8')));
  return 202;
}
