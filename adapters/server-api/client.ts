import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { ErrorBody, STATUS_OF } from '#core/api/error.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { ErrorCode } from '#core/errors.ts';
import type { ServerApi } from '#core/ports.ts';
import type { Secret } from '#core/secret.ts';
import {
  ByHandAnswer,
  DoneAnswer,
  HeadsAnswer,
  IdentityAnswer,
  KeptImagesAnswer,
  ManifestsBody,
  ReleaseAnswer,
  RestoreAnswer,
} from '#core/release/wire.ts';

const TIMEOUT_MS = 30_000;
const PATIENCE_MS = 300_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;

export interface Connection {
  url: string;
  /** As it is now: it may be reset. */
  token: () => Promise<Secret>;
  /** Hears why, once for each call that has to wait. */
  onOutage?: (reason: string) => void;
  /** How long a server that does not answer is waited for. */
  patienceMs?: number;
}

export interface ServerWaiter {
  /** Waits until the server answers. */
  whenUp(signal: AbortSignal): Promise<void>;
}

/** The server as workers see it, over HTTP. A restart of it is waited out: it takes every call twice. */
export function createServerApi(connection: Connection): ServerApi & ServerWaiter {
  function call<Schema extends z.ZodType>(
    parts: readonly string[],
    schema: Schema,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<z.infer<Schema>> {
    return patiently(connection, signal, () => send(connection, parts, schema, signal, body));
  }
  return {
    identity: (signal) => call(['identity'], IdentityAnswer, signal),
    whenUp: (signal) => patiently(connection, signal, () => checkHealth(connection, signal)),
    async storeRendered(runId, entries, signal) {
      await call(['runs', runId, 'rendered'], DoneAnswer, signal, { entries });
    },
    release: (runId, entry, signal) =>
      call(['runs', runId, 'release'], ReleaseAnswer, signal, { entry }),
    async restore(pipeline, entry, failed, reason, signal) {
      const parts = ['releases', pipeline, entry, 'restore'];
      return (await call(parts, RestoreAnswer, signal, { failed, reason })).release;
    },
    async markHealthy(pipeline, entry, commit, signal) {
      await call(['releases', pipeline, entry, 'healthy'], DoneAnswer, signal, { commit });
    },
    heads: (cluster, signal) => call(['clusters', cluster, 'heads'], HeadsAnswer, signal),
    keptImages: async (signal) =>
      (await call(['kept-images'], KeptImagesAnswer, signal)).references,
    byHand: async (signal) => (await call(['by-hand'], ByHandAnswer, signal)).owners,
    manifests: async (pipeline, commit, signal) =>
      (await call(['manifests', pipeline, commit], ManifestsBody, signal)).manifests,
    open: async (manifests, signal) =>
      (await call(['open'], ManifestsBody, signal, { manifests })).manifests,
    async answer(id, body, signal) {
      await call(['answers', id], DoneAnswer, signal, body);
    },
  };
}

async function patiently<T>(
  { patienceMs = PATIENCE_MS, onOutage }: Connection,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2)) {
    try {
      return await call();
    } catch (error) {
      const isLate = performance.now() - begun + retryMs > patienceMs;
      if (isLate || !(error instanceof UserError) || !error.transient) throw error;
      if (retryMs === FIRST_RETRY_MS) onOutage?.(error.message);
      await sleep(retryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

async function send<Schema extends z.ZodType>(
  { url, token }: Connection,
  parts: readonly string[],
  schema: Schema,
  signal: AbortSignal,
  body: unknown,
): Promise<z.infer<Schema>> {
  const worker = (await token()).reveal();
  const path = `/internal/v1/${parts.map(encodeURIComponent).join('/')}`;
  const { status, answer } = await ask(url, path, signal, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${worker}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (status < 200 || status > 299) throw refusal(url, status, answer);
  const parsed = schema.safeParse(parseJson(answer));
  if (parsed.success) return parsed.data;
  throw new UserError('unavailable', `${url} does not answer as this version of Windlass expects`, {
    hint: 'run server and workers in the same version',
    cause: parsed.error,
  });
}

async function checkHealth({ url }: Connection, signal: AbortSignal): Promise<void> {
  const { status, answer } = await ask(url, '/healthz', signal, {});
  if (status !== 200) throw refusal(url, status, answer);
}

async function ask(
  url: string,
  path: string,
  signal: AbortSignal,
  init: RequestInit,
): Promise<{ status: number; answer: string }> {
  try {
    const response = await fetch(new URL(path, url), {
      ...init,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return { status: response.status, answer: await response.text() };
  } catch (error) {
    signal.throwIfAborted();
    throw new UserError('unavailable', `the server at ${url} does not answer: ${reasonOf(error)}`, {
      transient: true,
      cause: error,
    });
  }
}

function refusal(url: string, status: number, answer: string): UserError {
  const transient = status >= 502 && status <= 504;
  const parsed = ErrorBody.safeParse(parseJson(answer));
  if (!parsed.success)
    return new UserError('unavailable', `the server at ${url} answers ${status}`, { transient });
  const { code, message, hint } = parsed.data.error;
  return new UserError(isErrorCode(code) ? code : 'unavailable', message, {
    transient,
    ...(hint === undefined ? {} : { hint }),
  });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(STATUS_OF, code);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
