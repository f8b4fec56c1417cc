import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { explainTls } from '#adapters/docker/remote/explain-tls.ts';
import { UserError } from '#core/errors.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const OK_STATUSES = [200, 201, 202, 204, 304];
/** Which statuses docker-modem takes for an answer. */
type Taken = Record<number, boolean>;
const OK = taking(OK_STATUSES);
const EVERY = taking(Array.from({ length: 400 }, (_, index) => 200 + index));
const BROKEN = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'];
const UNREACHABLE = new Set([
  ...BROKEN,
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
const CUT = new Set([...BROKEN, 'ERR_STREAM_PREMATURE_CLOSE']);

export interface DockerRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** Without the query. Parts that may have a `?` or `#` are encoded by the caller. */
  path: string;
  query?: Record<string, string | number | boolean>;
  body?: unknown;
  /** A tar archive. */
  file?: Buffer | Readable;
  auth?: object;
  /** Credentials of several registries, as the classic builder takes them. */
  registries?: Record<string, object>;
  signal: AbortSignal;
  timeoutMs?: number;
}

/** What Docker refused, with its status; the message is Docker's own. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Dial {
  path: string;
  method: string;
  statusCodes: Taken;
  options: { _query?: object; _body?: unknown };
  allowEmpty: boolean;
  isStream?: boolean;
  hijack?: boolean;
  openStdin?: boolean;
  file?: Buffer | Readable;
  authconfig?: object;
  registryconfig?: object;
  abortSignal: AbortSignal;
}

/**
 * One request with its answer whole: what its JSON says, or else its bytes. Ends at the timeout or when aborted. The
 * answer is read here: docker-modem (5.0) waits for ever for the rest of one whose connection broke.
 */
export async function callDocker<T>(docker: Docker, request: DockerRequest): Promise<T> {
  const deadline = AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const signal = AbortSignal.any([request.signal, deadline]);
  try {
    const asked = { ...dialOptions(request), statusCodes: EVERY, isStream: true };
    const answer = await dial<IncomingMessage>(docker, { ...asked, abortSignal: signal });
    const content = parsed(await readWhole(answer));
    const { statusCode: status = 0 } = answer;
    if (!OK_STATUSES.includes(status)) throw new DockerError(status, messageIn(content));
    return content as T;
  } catch (error) {
    throw explain(error, request, deadline);
  }
}

/** Like `callDocker` for an answer that comes over time; the timeout holds until it begins, the signal until it ends. */
export async function openStream(docker: Docker, request: DockerRequest): Promise<Readable> {
  return open<Readable>(docker, request, { isStream: true });
}

/** A two-way connection, as exec and attach make. */
export async function openDuplex(docker: Docker, request: DockerRequest): Promise<Duplex> {
  return open<Duplex>(docker, request, { isStream: true, hijack: true, openStdin: true });
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof DockerError && error.status === status;
}

/** Whether Docker may take later what it refused: it could not, or had too much to do. */
export function isPassing(error: unknown): boolean {
  return error instanceof DockerError && (error.status >= 500 || error.status === 429);
}

/** What reading a stream throws, in the operator's words where it is that the connection broke. */
export function explainCut(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (!CUT.has(code)) return error;
  return new UserError('unavailable', 'the connection to the Docker Engine broke', {
    transient: true,
    cause: error,
  });
}

async function open<T extends Readable>(
  docker: Docker,
  request: DockerRequest,
  kind: Partial<Dial>,
): Promise<T> {
  request.signal.throwIfAborted();
  const starting = new AbortController();
  const timer = setTimeout(() => starting.abort(), request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const signal = AbortSignal.any([request.signal, starting.signal]);
  try {
    const stream = await dial<T>(docker, { ...dialOptions(request), ...kind, abortSignal: signal });
    destroyOnAbort(stream, request.signal);
    return stream;
  } catch (error) {
    throw explain(error, request, starting.signal);
  } finally {
    clearTimeout(timer);
  }
}

function destroyOnAbort(stream: Readable, signal: AbortSignal): void {
  function destroy(): void {
    stream.destroy();
  }
  if (signal.aborted) destroy();
  signal.addEventListener('abort', destroy, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', destroy));
  // An abort surfaces as the end of the stream; who reads it checks the signal.
  stream.on('error', () => {});
}

function dialOptions(request: DockerRequest): Omit<Dial, 'abortSignal'> {
  return {
    path: `${sendable(request.path)}?`,
    method: request.method,
    statusCodes: OK,
    options: { _query: request.query ?? {}, _body: request.body ?? {} },
    allowEmpty: true,
    ...(request.file === undefined ? {} : { file: request.file }),
    ...(request.auth === undefined ? {} : { authconfig: request.auth }),
    ...(request.registries === undefined ? {} : { registryconfig: request.registries }),
  };
}

/** Docker says itself what is wrong with a name that has a blank, say, where no request could be made of it. */
function sendable(path: string): string {
  return path.replaceAll(/[^!-~]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}

function dial<T>(docker: Docker, options: Dial): Promise<T> {
  const modem = docker.modem as {
    dial(options: Dial, done: (error: Error | null, answer: T) => void): void;
  };
  return new Promise((resolve, reject) => {
    modem.dial(options, (error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}

async function readWhole(answer: IncomingMessage): Promise<Buffer> {
  try {
    return await buffer(answer);
  } catch (error) {
    throw explainCut(error);
  }
}

function taking(statuses: readonly number[]): Taken {
  return Object.fromEntries(statuses.map((status) => [status, true]));
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return body;
  }
}

function explain(error: unknown, request: DockerRequest, deadline: AbortSignal): unknown {
  if (request.signal.aborted) return request.signal.reason;
  if (deadline.aborted) {
    return new UserError(
      'timeout',
      `Docker did not answer ${request.method} ${request.path} in time`,
      {
        transient: true,
        cause: error,
      },
    );
  }
  if (!(error instanceof Error)) return error;
  if ('statusCode' in error) return new DockerError(Number(error.statusCode), refusalIn(error));
  const untrusted = explainTls(error);
  if (untrusted !== undefined) return untrusted;
  const code = 'code' in error ? String(error.code) : '';
  if (!UNREACHABLE.has(code)) return error;
  return new UserError('unavailable', `the Docker Engine cannot be reached: ${error.message}`, {
    transient: true,
    cause: error,
    hint: 'Is Docker running there, and may this user use its socket?',
  });
}

function messageIn(content: unknown): string {
  if (Buffer.isBuffer(content)) return content.toString().trim();
  if (typeof content !== 'object' || content === null) return String(content);
  if ('message' in content) return String(content.message);
  // What stands before Docker says it otherwise.
  return 'error' in content ? String(content.error) : JSON.stringify(content);
}

/** Of docker-modem's error for a stream that was refused. */
function refusalIn({ message }: Error): string {
  return message.replace(/^\(HTTP code \d+\) [^-]* - /, '').trim();
}
