import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { KubeClient } from '../client.ts';
import { clientOf } from './client-of.ts';

export type Behaviour = (socket: WebSocket, url: URL) => void;

/** Of an API server that speaks the protocol as a kubelet does behind one; until the test ends. */
export async function clientOfSockets(protocol: string, behaviour: Behaviour): Promise<KubeClient> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => protocol });
  sockets.on('connection', (socket, request) =>
    behaviour(socket, new URL(request.url ?? '', 'http://api')),
  );
  return clientOf(server);
}

/** Of one that lets nobody do that. */
export async function refusingClient(message: string): Promise<KubeClient> {
  const server = createServer();
  server.on('upgrade', (_request, socket) => {
    const body = JSON.stringify({ message, reason: 'Forbidden' });
    socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  return clientOf(server);
}

/** Of one that answers nothing, and calls that when it is asked. */
export function silentClient(onAsked: () => void): Promise<KubeClient> {
  const server = createServer();
  server.on('upgrade', onAsked);
  return clientOf(server);
}
