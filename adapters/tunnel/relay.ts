import type { WebSocket } from 'ws';

const HEARTBEAT_MS = 20_000;
/** So many messages may be on their way to the slower side; then the faster one waits. */
const MOST_UNDER_WAY = 16;

/** Passes messages both ways until either side ends or is silent for too long; then both are ended. */
export async function relay(one: WebSocket, other: WebSocket): Promise<void> {
  passOn(one, other);
  passOn(other, one);
  const stops = [one, other].map(keepAlive);
  await Promise.all([closed(one), closed(other)]);
  for (const stop of stops) stop();
}

function passOn(from: WebSocket, to: WebSocket): void {
  let underWay = 0;
  from.on('message', (message: Buffer, binary: boolean) => {
    underWay += 1;
    if (underWay >= MOST_UNDER_WAY) from.pause();
    to.send(message, { binary }, () => {
      underWay -= 1;
      if (underWay === 0 && from.isPaused) from.resume();
    });
  });
  // After what is under way. One that waits would not hear of the end, and nobody takes what it has.
  from.once('close', () => to.close());
  to.once('close', () => (from.isPaused ? from.terminate() : from.close()));
  from.on('error', () => from.terminate());
}

function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Also keeps proxies in between from taking a quiet tunnel for a dead one. */
function keepAlive(socket: WebSocket): () => void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    // One that is held back is not read from, pongs neither.
    if (!isAlive && !socket.isPaused) socket.terminate();
    isAlive = false;
    socket.ping();
  }, HEARTBEAT_MS);
  return () => clearInterval(timer);
}
