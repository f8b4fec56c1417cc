import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { z } from 'zod';
import { dialTunnel, TunnelRefused } from '#adapters/tunnel/dial.ts';
import { ErrorBody, STATUS_OF } from '#core/api/error.ts';
import { UserError } from '#core/errors.ts';
import type { ErrorCode } from '#core/errors.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';
import { sendRequest, unreachable } from './http.ts';

export interface Server {
  url: string;
  token: string;
}

/** The server's REST API. Answers are checked against the schemas it shares with the server. */
export interface ApiClient {
  readonly url: string;
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>>;
  post<Schema extends z.ZodType>(
    path: string,
    body: unknown,
    schema: Schema,
  ): Promise<z.infer<Schema>>;
  /** A two-way stream; the signal of the client ends it. */
  tunnel(path: string, signal?: AbortSignal): Promise<Tunnel>;
  /** The objects of an NDJSON answer, as they come. */
  stream<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
  ): AsyncGenerator<z.infer<Schema>, void>;
}

export function createClient({ url, token }: Server, signal: AbortSignal): ApiClient {
  async function send(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<IncomingMessage> {
    const response = await sendRequest({ method, url: new URL(path, url), token, body, signal });
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusal(status, await text(response), url);
    return response;
  }
  return {
    url,
    async get(path, schema) {
      return parseAnswer(schema, await text(await send('GET', path)), url);
    },
    async post(path, body, schema) {
      return parseAnswer(schema, await text(await send('POST', path, body)), url);
    },
    async tunnel(path, until) {
      const ends = until === undefined ? signal : AbortSignal.any([signal, until]);
      try {
        return await dialTunnel(new URL(path, url), token, ends);
      } catch (error) {
        if (error instanceof TunnelRefused) throw refusal(error.status, error.body, url);
        throw ends.aborted ? error : unreachable(new URL(url), error);
      }
    },
    async *stream(path, schema) {
      const response = await send('GET', path);
      try {
        for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
          if (line.trim() !== '') yield parseAnswer(schema, line, url);
        }
        if (!response.complete) throw new Error('it is not whole');
      } catch (error) {
        if (error instanceof UserError || signal.aborted) throw error;
        throw new UserError('unavailable', `${url} ended the answer half-way`, { cause: error });
      }
    },
  };
}

/** `/api/v1/…` with each part encoded, and the query's defined parameters. */
export function apiPath(
  parts: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, value);
  }
  const path = `/api/v1/${parts.map(encodeURIComponent).join('/')}`;
  return parameters.size === 0 ? path : `${path}?${parameters.toString()}`;
}

function parseAnswer<Schema extends z.ZodType>(
  schema: Schema,
  body: string,
  url: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new UserError('unavailable', `${url} does not answer as this version of windlass expects`, {
    hint: 'is it a Windlass server, of the same version?',
    cause: parsed.error,
  });
}

function refusal(status: number, body: string, url: string): UserError {
  const parsed = ErrorBody.safeParse(parseJson(body));
  if (!parsed.success) {
    return new UserError('unavailable', `${url} answers ${status}`, {
      hint: 'is it a Windlass server?',
    });
  }
  const { code, message, hint } = parsed.data.error;
  const help = hint ?? (status === 401 ? `log in again: windlass login ${url}` : undefined);
  const options = help === undefined ? {} : { hint: help };
  return new UserError(isErrorCode(code) ? code : 'unavailable', message, options);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(STATUS_OF, code);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
