import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#core/errors.ts';

const ANSWER_MS = 10_000;
/** So that the clients leave the machine to what is tested. */
const PAUSE_MS = 100;

/** What clients found. A request fails that gets no answer, another status than 200, or no whole body. */
export interface Load {
  answered: number;
  /** Answers by their body. */
  bodies: Map<string, number>;
  failures: string[];
  /** Requests sent again since their kept connection ended before an answer, as RFC 9112, 9.3.1 allows clients. */
  resent: number;
}

export interface RunningLoad {
  /** What was found since this was last asked. */
  take(): Load;
  stop(): Promise<Load>;
}

/** Clients that ask one after the other without end: half keep their connection, half take another for each request. */
export function startLoad({ url, clients }: { url: string; clients: number }): RunningLoad {
  let load = emptyLoad();
  const stopped = new AbortController();
  const running = Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const agent = new Agent({ keepAlive: index % 2 === 0, maxSockets: 1 });
      while (!stopped.signal.aborted) {
        await ask(url, agent, () => load);
        await sleep(PAUSE_MS);
      }
      agent.destroy();
    }),
  );
  function take(): Load {
    const taken = load;
    load = emptyLoad();
    return taken;
  }
  return {
    take,
    async stop() {
      stopped.abort();
      await running;
      return take();
    },
  };
}

function emptyLoad(): Load {
  return { answered: 0, bodies: new Map(), failures: [], resent: 0 };
}

async function ask(url: string, agent: Agent, load: () => Load): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const sent = request(url, { agent, timeout: ANSWER_MS });
    try {
      const body = await answerOf(sent);
      const { bodies } = load();
      bodies.set(body, (bodies.get(body) ?? 0) + 1);
      load().answered += 1;
      return;
    } catch (error) {
      if (sent.reusedSocket && isReset(error) && attempt === 0) {
        load().resent += 1;
        continue;
      }
      load().failures.push(`${new Date().toISOString()} ${messageOf(error)}`);
      return;
    }
  }
}

function answerOf(sent: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    sent.once('error', reject);
    sent.once('response', (response) => {
      bodyOf(response).then(
        (body) =>
          response.statusCode === 200
            ? resolve(body)
            : reject(new Error(`status ${response.statusCode}: ${body}`)),
        reject,
      );
    });
    sent.end();
  });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  if (!response.complete) throw new Error('the answer was cut off');
  return Buffer.concat(chunks).toString('utf8').trim();
}

function isReset(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ECONNRESET' || code === 'EPIPE';
}
