import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { messageOf, UserError } from '#core/errors.ts';
import { ApiError } from './api-error.ts';
import type { ApiStatus } from './api-error.ts';
import { tlsTroubleOf } from '#adapters/tls-trouble.ts';
import { explainTls } from './explain-tls.ts';
import { createCredentials } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { ApiAccess } from './kubeconfig.ts';

const CONNECTIONS = 32;
const REQUEST_MS = 30_000;
const HANDSHAKE_MS = 15_000;
const ATTEMPTS = 6;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 10_000;
const UNPROCESSABLE = 422;
const RETRIED = new Set([429, 500, 502, 503, 504]);

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** One request; `path` begins at the root of the API, e.g. `/api/v1/namespaces`. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  path: string;
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string;
  accept?: string;
  /** As which account it is done; else as whom the access says. */
  as?: string;
}

interface ApiAnswer<T> {
  status: number;
  body: T;
}

/**
 * Speaks to one API server. Requests that are the same twice are tried again: refused for load, broken off, or answered
 * 5xx. Everything rejects with `ApiError` where the server refused, `UserError` `unavailable` where it is not reached.
 */
export interface KubeClient {
  /** Answers within 30 s each time it is tried. */
  call<T>(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer<T>>;
  /** Of a body without an end: a watch, a log. Ends with the signal. */
  stream(request: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage>;
  /** A WebSocket that is open, and paused until somebody listens. */
  connect(
    path: string,
    query: Query,
    protocols: readonly string[],
    signal: AbortSignal,
  ): Promise<WebSocket>;
  close(): void;
}

/** Nothing is sent before the first call. */
export function createKubeClient(
  access: ApiAccess,
  environment: Readonly<Record<string, string | undefined>>,
): KubeClient {
  const credentials = createCredentials(access, environment);
  const isTls = access.server.startsWith('https:');
  let agent: { of: Credentials; agent: http.Agent } | undefined;

  function agentFor(current: Credentials): http.Agent {
    if (agent?.of === current) return agent.agent;
    // Sockets of the agent before end by themselves once they are idle.
    const options = { keepAlive: true, maxSockets: Infinity, maxFreeSockets: CONNECTIONS };
    const next = isTls ? new https.Agent({ ...options, ...current.tls }) : new http.Agent(options);
    agent = { of: current, agent: next };
    return next;
  }

  async function send(request: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const current = await credentials.get(signal);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const { request: open } = isTls ? https : http;
    const sent = open(urlOf(access.server, request.path, request.query), {
      method: request.method,
      agent: agentFor(current),
      signal,
      headers: {
        accept: request.accept ?? 'application/json',
        ...current.headers,
        ...actingAs(request, access),
        ...(body === undefined
          ? {}
          : {
              'content-type': request.contentType ?? 'application/json',
              'content-length': body.length,
            }),
      },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    return response;
  }

  async function once401(request: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const response = await send(request, signal);
    if (response.statusCode !== 401 || !credentials.forget()) return response;
    response.resume();
    return send(request, signal);
  }

  async function attempt<T>(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer<T>> {
    const limit = limitTo(REQUEST_MS, signal);
    try {
      const response = await once401(request, limit.signal);
      const body = await text(response);
      const status = response.statusCode ?? 0;
      if (status >= 400) throw refused(request, response, body);
      return { status, body: JSON.parse(body) as T };
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      throw error;
    } finally {
      limit.release();
    }
  }

  async function call<T>(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer<T>> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt<T>(request, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (tried >= ATTEMPTS || !isPassing(error)) throw asUserError(error, access.server);
        await sleep(pauseMs(error, tried), undefined, { signal });
      }
    }
  }

  return {
    call,
    async stream(request, signal) {
      try {
        const response = await once401(request, signal);
        if ((response.statusCode ?? 0) < 400) return response;
        throw refused(request, response, await text(response));
      } catch (error) {
        signal.throwIfAborted();
        throw asUserError(error, access.server);
      }
    },
    async connect(path, query, protocols, signal) {
      const current = await credentials.get(signal);
      const url = urlOf(access.server.replace(/^http/, 'ws'), path, query);
      const socket = new WebSocket(url, [...protocols], {
        headers: current.headers,
        handshakeTimeout: HANDSHAKE_MS,
        perMessageDeflate: false,
        ...current.tls,
      });
      return openSocket(socket, { method: 'GET', path }, access.server, signal);
    },
    close() {
      agent?.agent.destroy();
    },
  };
}

/**
 * Aborts with the other, or when the time is over. Released, it leaves nothing behind: a composite of signals would stay
 * until the timer ends, and there are thousands of requests.
 */
function limitTo(ms: number, signal: AbortSignal): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  function end(): void {
    controller.abort(signal.reason);
  }
  const timer = setTimeout(
    () => controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError')),
    ms,
  );
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    },
  };
}

/** The socket once it is open; why it did not open is what the server said. */
async function openSocket(
  socket: WebSocket,
  request: ApiRequest,
  server: string,
  signal: AbortSignal,
): Promise<WebSocket> {
  function end(): void {
    socket.terminate();
  }
  // One that is ended before it is open says so when nobody listens any more, and that would end the process.
  socket.on('error', () => undefined);
  signal.addEventListener('abort', end, { once: true });
  socket.on('close', () => signal.removeEventListener('abort', end));
  // What comes at once must not be lost.
  socket.once('open', () => socket.pause());
  const answered = new Promise<never>((_, reject) => {
    socket.once('unexpected-response', (_request, response) => {
      text(response).then((body) => reject(refused(request, response, body)), reject);
    });
  });
  try {
    await Promise.race([once(socket, 'open', { signal }), answered]);
    return socket;
  } catch (error) {
    socket.terminate();
    signal.throwIfAborted();
    throw asUserError(error, server);
  }
}

/**
 * An account has the groups that the API server gives it. An empty name would be no other account at all, and that of the
 * kubeconfig would lose its bounds.
 */
function actingAs({ as }: ApiRequest, { user }: ApiAccess): Record<string, string> {
  if (as === undefined) return {};
  if (as === '') throw new UserError('invalid-input', 'the account to act as has no name');
  if (user.impersonate !== undefined)
    throw new UserError('invalid-input', `the kubeconfig says as whom: ${as} cannot be that too`, {
      hint: 'take `as` out of the kubeconfig, or `accounts` out of the Cluster',
    });
  return { 'impersonate-user': as };
}

function urlOf(server: string, path: string, query: Query = {}): URL {
  const url = new URL(server + path);
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    const values = Array.isArray(value) ? (value as readonly string[]) : [String(value)];
    for (const each of values) url.searchParams.append(key, each);
  }
  return url;
}

class Refused extends ApiError {
  readonly retryAfterMs: number | undefined;

  constructor(what: string, status: number, body: ApiStatus, retryAfterMs: number | undefined) {
    super(what, status, body);
    this.retryAfterMs = retryAfterMs;
  }
}

function refused(
  { method, path }: ApiRequest,
  response: http.IncomingMessage,
  body: string,
): Refused {
  const seconds = Number(response.headers['retry-after']);
  const told = statusIn(body);
  // An object that does not fit its schema is the sender's fault, although the API server says 500.
  const isWrong = told.message?.startsWith('failed to create typed patch object') === true;
  return new Refused(
    `${method} ${path}`,
    isWrong ? UNPROCESSABLE : (response.statusCode ?? 0),
    told,
    Number.isFinite(seconds) ? seconds * 1_000 : undefined,
  );
}

function statusIn(body: string): ApiStatus {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as ApiStatus) : {};
  } catch {
    // A proxy before it answers pages of its own.
    return {};
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return RETRIED.has(error.status);
  if (error instanceof UserError || error instanceof SyntaxError) return false;
  return tlsTroubleOf(error) === undefined;
}

/** Doubles each time, spread so that many do not come back at once; what the server asks for goes first. */
function pauseMs(error: unknown, tried: number): number {
  const asked = error instanceof Refused ? error.retryAfterMs : undefined;
  const own = FIRST_RETRY_MS * 2 ** (tried - 1) * (0.75 + Math.random() / 2);
  return Math.min(LONGEST_RETRY_MS, asked ?? own);
}

function asUserError(error: unknown, server: string): UserError {
  if (error instanceof UserError) return error;
  const untrusted = explainTls(error, server);
  if (untrusted !== undefined) return untrusted;
  const isLate = error instanceof Error && error.name === 'TimeoutError';
  const why = isLate ? `it did not answer within ${REQUEST_MS / 1_000} s` : messageOf(error);
  return new UserError('unavailable', `the API server ${server} is not reached: ${why}`, {
    transient: true,
    hint: 'look whether it runs, and whether the kubeconfig is for it',
    cause: error,
  });
}
