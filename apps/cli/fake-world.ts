import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { runCli } from './program.ts';
import type { Terminal } from './terminal.ts';

/** What the server answers to `GET /path?query` or `POST /path`; lists are sent as NDJSON, functions answer themselves. */
export type Answers = Readonly<Record<string, unknown>>;
export type AnswerItself = (response: ServerResponse) => void;

export interface FakeWorld {
  url: string;
  folder: string;
  /** What the server was asked, with the bodies of POSTs. */
  asked: string[];
  run(this: void, ...args: string[]): Promise<{ code: number; out: string[]; notes: string[] }>;
  close(): Promise<void>;
}

/** No terminal at all, and no input. */
export const FAKE_TERMINAL: Terminal = {
  type: 'dumb',
  isInteractive: false,
  async *input() {},
  closeInput: () => {},
  write: async () => {},
  size: () => ({ columns: 80, rows: 24 }),
  onResize: () => () => {},
  setRaw: () => {},
};

export const FAKE_TOKEN = 'secret-token';
export const FAKE_NOW = 1_800_000_000_000;

/** A command line in a folder of its own, logged in to a server that gives fixed answers. */
export async function openFakeWorld(answers: Answers): Promise<FakeWorld> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void answer(request, answers, asked).then((answered) => {
      if (typeof answered === 'function') answered(response);
      else response.writeHead(answered.status).end(answered.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = await mkdtemp(join(tmpdir(), 'windlass-cli-'));
  return {
    url,
    folder,
    asked,
    async run(...args) {
      const out: string[] = [];
      const notes: string[] = [];
      const code = await runCli(args, {
        cwd: folder,
        machine: { PATH: process.env['PATH'] },
        configFile: join(folder, 'config', 'config.json'),
        ...(args[0] === 'login' ? {} : { server: { url, token: FAKE_TOKEN } }),
        out: (line) => out.push(line),
        note: (line) => notes.push(line),
        colour: false,
        terminal: FAKE_TERMINAL,
        readSecret: () => Promise.resolve(`${FAKE_TOKEN}\n`),
        now: () => FAKE_NOW,
        signal: new AbortController().signal,
        setExitCode: () => {},
      });
      return { code, out, notes };
    },
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

async function answer(
  request: IncomingMessage,
  answers: Answers,
  asked: string[],
): Promise<{ status: number; body: string } | AnswerItself> {
  const body = await text(request);
  const key = `${request.method} ${request.url}`;
  asked.push(body === '' ? key : `${key} ${body}`);
  if (request.headers.authorization !== `Bearer ${FAKE_TOKEN}`) {
    return failure(401, 'unauthorized', 'the token is not valid');
  }
  const found = answers[key];
  if (found === undefined) return failure(404, 'not-found', `nothing at ${key}`);
  if (typeof found === 'function') return found as AnswerItself;
  const lines = Array.isArray(found) ? found.map((each) => JSON.stringify(each)) : undefined;
  return { status: 200, body: lines?.join('\n') ?? JSON.stringify(found) };
}

function failure(status: number, code: string, message: string): { status: number; body: string } {
  return { status, body: JSON.stringify({ error: { code, message } }) };
}
