import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { CHANNEL } from '#core/tunnel/frame.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';
import { dialTunnel, TunnelRefused } from './dial.ts';
import { relay } from './relay.ts';

const PIECE = new Uint8Array(60_000).fill(7);

describe('a tunnel through a relay', () => {
  let http: Server;
  let url: URL;
  let relayed: Promise<void>;
  let ended: AbortController;

  beforeEach(async () => {
    ended = new AbortController();
    http = createServer((_request, response) => response.writeHead(418).end('no'));
    const server = new WebSocketServer({ server: http, path: '/tunnel' });
    const first = Promise.withResolvers<WebSocket>();
    const second = Promise.withResolvers<WebSocket>();
    server.on('connection', (socket) => {
      socket.pause();
      first.resolve(socket);
      first.promise.then((one) => one !== socket && second.resolve(socket)).catch(() => {});
    });
    relayed = Promise.all([first.promise, second.promise]).then(([one, other]) => {
      const passing = relay(one, other);
      one.resume();
      other.resume();
      return passing;
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    url = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/tunnel`);
  });

  afterEach(async () => {
    ended.abort();
    http.closeAllConnections();
    http.close();
    await once(http, 'close');
  });

  function dial(): Promise<Tunnel> {
    return dialTunnel(url, 'token', ended.signal);
  }

  it('passes on all that is sent, both ways, though one reads slowly', async () => {
    const one = await dial();
    await one.send(CHANNEL.start);
    const other = await dial();
    const count = 500;
    async function sendAll(from: Tunnel): Promise<void> {
      for (let index = 0; index < count; index += 1) await from.send(CHANNEL.stdout, PIECE);
    }
    async function countAll(at: Tunnel, slowly: boolean): Promise<number> {
      let bytes = 0;
      for await (const { channel, data } of at.frames) {
        if (channel !== CHANNEL.stdout) continue;
        bytes += data.length;
        if (slowly) await new Promise((resolve) => setImmediate(resolve));
        if (bytes === count * PIECE.length) return bytes;
      }
      return bytes;
    }
    const [, , there, back] = await Promise.all([
      sendAll(one),
      sendAll(other),
      countAll(other, true),
      countAll(one, false),
    ]);
    expect([there, back]).toEqual([count * PIECE.length, count * PIECE.length]);
  });

  it('ends on both sides when one closes, after what was sent', async () => {
    const [one, other] = [await dial(), await dial()];
    await one.send(CHANNEL.stdout, PIECE);
    one.close();
    const seen: number[] = [];
    for await (const { data } of other.frames) seen.push(data.length);
    expect(seen).toEqual([PIECE.length]);
    await relayed;
  });

  it('ends for the other side when one is cut off', async () => {
    const cut = new AbortController();
    const one = await dialTunnel(url, 'token', cut.signal);
    const other = await dial();
    await one.send(CHANNEL.stdout, PIECE);
    cut.abort();
    for await (const frame of other.frames) expect(frame.channel).toBe(CHANNEL.stdout);
    await relayed;
    await expect(other.send(CHANNEL.stdout, PIECE)).rejects.toThrow('WebSocket is not open');
  });

  it('says what the server answers that does not want to', async () => {
    const refused = dialTunnel(new URL('/elsewhere', url), 'token', ended.signal);
    await expect(refused).rejects.toThrow(TunnelRefused);
    await expect(dialTunnel(url, 'token', AbortSignal.abort())).rejects.toThrow('aborted');
  });
});
