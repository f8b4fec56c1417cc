import { exchange } from './exchange.ts';

/** For a port of the network it runs in; the datagram is base64. */
const [port, datagram = ''] = process.argv.slice(2);
process.stdout.write(await exchange(Number(port), Buffer.from(datagram, 'base64')));
