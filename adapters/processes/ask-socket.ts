import { connect } from 'node:net';
import type { NetConnectOpts } from 'node:net';

const TIMEOUT_MS = 1_000;

/** Sends a line and answers what comes back first; absent where nobody listens or nothing comes in time. */
export function askSocket(address: NetConnectOpts, line: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(address, () => socket.write(line));
    function end(answer: string | undefined): void {
      socket.destroy();
      resolve(answer);
    }
    socket.setTimeout(TIMEOUT_MS, () => end(undefined));
    socket.once('data', (chunk) => end(String(chunk)));
    socket.once('error', () => end(undefined));
    socket.once('close', () => end(undefined));
  });
}
