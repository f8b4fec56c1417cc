import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { relay } from '#adapters/tunnel/relay.ts';
import { CHANNEL, encodeFrame, encodeJson } from '#core/tunnel/frame.ts';

const ARRIVAL_MS = 20_000;

/** Brings those who ask for a tunnel and the deploy workers that open one together, by an id that nobody guesses. */
export interface Tunnels {
  newId(): string;
  /** The side that asked; what it sends waits for the other. */
  ask(id: string, socket: WebSocket): void;
  /** The deploy worker's side. */
  arrive(id: string, socket: WebSocket): void;
}

interface Waiting {
  asked?: WebSocket;
  arrived?: WebSocket;
  timer: NodeJS.Timeout;
}

export function createTunnels(): Tunnels {
  const waiting = new Map<string, Waiting>();

  function join(id: string, side: 'asked' | 'arrived', socket: WebSocket): void {
    // Until the relay looks after it; what goes wrong closes it.
    socket.on('error', () => {});
    const entry = waiting.get(id);
    if (entry === undefined || entry[side] !== undefined) {
      socket.terminate();
      return;
    }
    socket.pause();
    entry[side] = socket;
    const { asked, arrived, timer } = entry;
    if (asked === undefined || arrived === undefined) return;
    clearTimeout(timer);
    waiting.delete(id);
    // Told to both sides by their ends.
    void relay(asked, arrived);
    asked.resume();
    arrived.resume();
  }

  function expire(id: string): void {
    const { asked, arrived } = waiting.get(id) ?? {};
    waiting.delete(id);
    arrived?.terminate();
    if (asked === undefined) return;
    asked.resume();
    asked.send(encodeFrame(CHANNEL.end, encodeJson({ error: 'the deploy worker did not come' })));
    asked.close();
  }

  return {
    newId() {
      const id = randomUUID();
      waiting.set(id, { timer: setTimeout(() => expire(id), ARRIVAL_MS).unref() });
      return id;
    },
    ask: (id, socket) => join(id, 'asked', socket),
    arrive: (id, socket) => join(id, 'arrived', socket),
  };
}
