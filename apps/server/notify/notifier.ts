import type { Logger } from 'pino';
import { z } from 'zod';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import { readJsonFile, writeJsonFile } from '#adapters/state/json-file.ts';
import { Notify } from '#core/declarations/pipeline.ts';
import { messageOf } from '#core/errors.ts';
import { Book, look, newBook } from '#core/notify/look.ts';
import type { Sight } from '#core/notify/look.ts';
import { Notice } from '#core/notify/notice.ts';
import { signingHeaders } from './sign.ts';

const ANSWER_MS = 10_000;
/** How long a stop waits for the answer to what is being sent: whoever has taken it is not sent it again. */
const LAST_ANSWER_MS = 2_000;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 15 * 60_000;
/** After this long a receiver is told no more of it. */
const GIVE_UP_MS = 24 * 3_600_000;
/** Waiting for one receiver; what is more is dropped, the oldest first. */
const MOST_WAITING = 200;
const SAID_CHARACTERS = 200;

const Letter = z.strictObject({
  to: Notify,
  notice: Notice,
  /** Milliseconds since the epoch. */
  writtenAt: z.number(),
  attempts: z.number(),
  dueAt: z.number(),
});
type Letter = z.infer<typeof Letter>;

const Content = z.strictObject({
  version: z.literal(1),
  /** Absent while nobody is to be told anything. */
  book: Book.exactOptional(),
  letters: z.array(Letter),
});

/** Tells receivers of failures and recoveries: each once where they answer, in the order in which it happened. */
export interface Notifier {
  /** Looks for news, and sends what is due. */
  tick(signal: AbortSignal): Promise<void>;
}

export interface NotifierDependencies {
  /** Holds what was told and what is still to be sent. */
  file: string;
  see: () => Promise<Sight>;
  /** By pipeline, as they are declared now; those without any are left out. */
  receivers: () => Promise<ReadonlyMap<string, readonly Notify[]>>;
  readSecret: ReadSecret;
  now: () => number;
  log: Logger;
}

export async function openNotifier(dependencies: NotifierDependencies): Promise<Notifier> {
  const { file, see, receivers, now, log } = dependencies;
  const content = await readJsonFile(file, Content, 'which notifications were sent');
  let book = content?.book;
  let letters = content?.letters ?? [];

  function save(): Promise<void> {
    const kept = { version: 1, ...(book === undefined ? {} : { book }), letters } as const;
    return writeJsonFile(file, kept satisfies z.infer<typeof Content>);
  }

  async function findNews(): Promise<void> {
    const all = await receivers();
    const before = book;
    if (all.size === 0) {
      book = undefined;
      if (before !== undefined) await save();
      return;
    }
    const seen = look(before ?? newBook(now()), await see(), now());
    const at = now();
    const written = seen.notices.flatMap((notice) =>
      (all.get(notice.pipeline) ?? []).map((to): Letter => {
        return { to, notice, writtenAt: at, attempts: 0, dueAt: at };
      }),
    );
    const isNews = JSON.stringify(seen.book) !== JSON.stringify(before);
    ({ book } = seen);
    letters = bounded([...letters, ...written]);
    // Both in one write: nothing is forgotten in between, and nothing told twice.
    if (isNews) await save();
  }

  function bounded(all: readonly Letter[]): Letter[] {
    return [...byReceiver(all).values()].flatMap((own) => {
      const dropped = own.length - MOST_WAITING;
      if (dropped > 0)
        log.error({ pipeline: own[0]?.notice.pipeline, dropped }, 'notifications were dropped');
      return own.slice(-MOST_WAITING);
    });
  }

  /** Whoever does not answer holds up nobody else, and gets what is to come in its order. */
  async function sendDue(signal: AbortSignal): Promise<void> {
    const sent = await Promise.all(
      [...byReceiver(letters).values()].map((own) => sendInOrder(own, signal)),
    );
    const left = sent.flat();
    const isChanged = left.length !== letters.length || left.some((one) => !letters.includes(one));
    letters = left;
    if (isChanged) await save();
  }

  /** Answers what is left. */
  async function sendInOrder(own: readonly Letter[], signal: AbortSignal): Promise<Letter[]> {
    const startedAt = now();
    for (const [index, letter] of own.entries()) {
      // Nor does one that answers slowly: the others have their turn before it gets more.
      const isOver = now() - startedAt >= ANSWER_MS;
      if (letter.dueAt > now() || isOver || signal.aborted) return own.slice(index);
      const rest = own.slice(index + 1);
      try {
        await untilSoonAfter(signal, (until) => post(letter, dependencies, until));
      } catch (error) {
        if (signal.aborted) return own.slice(index);
        const later = postponed(letter, now());
        const isGivenUp = later.dueAt - letter.writtenAt > GIVE_UP_MS;
        const told = {
          notice: letter.notice.id,
          attempts: later.attempts,
          reason: messageOf(error),
        };
        if (isGivenUp) log.error(told, 'a notification is given up');
        else log.warn(told, 'a notification was not taken; it is sent again');
        return isGivenUp ? rest : [later, ...rest];
      }
    }
    return [];
  }

  return {
    async tick(signal) {
      await findNews();
      await sendDue(signal);
    },
  };
}

/** The work's own signal is aborted some time after that one. */
async function untilSoonAfter(
  signal: AbortSignal,
  work: (until: AbortSignal) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  function end(): void {
    timer = setTimeout(() => ending.abort(signal.reason), LAST_ANSWER_MS);
  }
  signal.addEventListener('abort', end, { once: true });
  try {
    await work(ending.signal);
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
  }
}

function byReceiver(letters: readonly Letter[]): Map<string, Letter[]> {
  const groups = new Map<string, Letter[]>();
  for (const letter of letters) {
    const key = JSON.stringify(letter.to);
    groups.set(key, [...(groups.get(key) ?? []), letter]);
  }
  return groups;
}

function postponed(letter: Letter, now: number): Letter {
  const pause = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** letter.attempts);
  return { ...letter, attempts: letter.attempts + 1, dueAt: now + pause };
}

async function post(
  { to, notice }: Letter,
  { readSecret, now }: Pick<NotifierDependencies, 'readSecret' | 'now'>,
  signal: AbortSignal,
): Promise<void> {
  const url = to.url ?? (to.urlFrom && (await readSecret(to.urlFrom)).reveal()) ?? '';
  const secret = to.secret === undefined ? undefined : (await readSecret(to.secret)).reveal();
  const body = JSON.stringify(bodyOf(to.format, notice));
  const seconds = Math.floor(now() / 1_000);
  const answer = await send(url, {
    method: 'POST',
    body,
    redirect: 'manual',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'windlass',
      ...signingHeaders({ id: notice.id, body, seconds }, secret),
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  });
  if (answer.ok) {
    await answer.body?.cancel();
    return;
  }
  const said = (await answer.text()).slice(0, SAID_CHARACTERS);
  throw new Error(`the receiver answered ${answer.status} ${said}`.trim());
}

/** The address may be a secret, so no error tells it. */
async function send(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError')
      throw new Error(`the receiver did not answer within ${ANSWER_MS / 1_000} s`, {
        cause: error,
      });
    const { code } = (error instanceof Error ? (error.cause ?? {}) : {}) as { code?: string };
    throw new Error(`the receiver cannot be reached: ${code ?? 'its address is not valid'}`);
  }
}

function bodyOf(format: Notify['format'], notice: Notice): object {
  switch (format) {
    case 'windlass':
      return notice;
    case 'slack':
      return { text: notice.text };
    case 'discord':
      return { content: notice.text, allowed_mentions: { parse: [] } };
  }
}
