import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Docker from 'dockerode';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAsker } from './ask-servers.ts';
import type { Asker } from './ask-servers.ts';

/** Longer than what is quick. */
const ANSWER_MS = 600;
const LONG_MS = 3_000;
const PATIENCE_MS = 60_000;
const never = new AbortController().signal;

let server: Server;
let asker: Asker;
/** Requests that came, and those that were given up by whoever asked. */
const came: ServerResponse[] = [];
let givenUp = 0;
let answers = false;

beforeEach(async () => {
  came.length = 0;
  givenUp = 0;
  answers = false;
  server = createServer((_request, response) => {
    came.push(response);
    response.once('close', () => {
      if (!response.writableEnded) givenUp += 1;
    });
    if (answers) answer(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  asker = createAsker(client, ANSWER_MS);
});
afterEach(() => {
  asker.close();
  server.closeAllConnections();
  server.close();
});

function client(): Docker {
  const { port } = server.address() as AddressInfo;
  return new Docker({ protocol: 'http', host: '127.0.0.1', port });
}

function answer(response: ServerResponse): void {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ ServerVersion: '20.10' }));
}

it('does not wait again for a server that it waited for in vain, and has it once it answers', async () => {
  expect(await asker.ask('a', never)).toEqual({});
  await expect.poll(() => givenUp, { timeout: PATIENCE_MS }).toBe(1);
  expect(await asker.ask('a', never)).toEqual({});
  expect(givenUp).toBe(1);
  answers = true;
  await expect
    .poll(async () => (await asker.ask('a', never)).info?.ServerVersion, { timeout: PATIENCE_MS })
    .toBe('20.10');
});

it('asks it one time after the other', async () => {
  await asker.ask('a', never);
  for (let time = 0; time < 5; time += 1) await asker.ask('a', never);
  await expect.poll(() => givenUp, { timeout: PATIENCE_MS }).toBe(2);
  expect(came).toHaveLength(2);
});

it('waits for it again where it is told to', async () => {
  asker.close();
  asker = createAsker(client, LONG_MS);
  await asker.ask('a', never);
  asker.forget();
  answers = true;
  expect((await asker.ask('a', never)).info?.ServerVersion).toBe('20.10');
});
