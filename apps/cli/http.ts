import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { UserError, messageOf } from '#core/errors.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: URL;
  token: string;
  body?: unknown;
  signal: AbortSignal;
}

const ANSWER_TIMEOUT_MS = 150_000;

/**
 * Sends a request and answers once the response's head is there. Not `fetch`, which ends a response that is silent for
 * five minutes, as a followed log may be.
 */
export function sendRequest({
  method,
  url,
  token,
  body,
  signal,
}: HttpRequest): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      signal,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json, application/x-ndjson',
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });
    const timer = setTimeout(() => {
      request.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} seconds`));
    }, ANSWER_TIMEOUT_MS);
    request.on('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(signal.aborted ? error : unreachable(url, error));
    });
    request.end(payload);
  });
}

export function unreachable(url: URL, error: unknown): UserError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = code === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(error) || code;
  return new UserError('unavailable', `cannot reach ${url.origin}: ${why}`, {
    hint: 'start it with `npm start`, or name another server with `windlass login <url>`',
    cause: error,
  });
}
