import { spawn } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { gitEnvironment } from '#adapters/git/environment.ts';
import { Name } from '#core/declarations/pipeline.ts';
import { roleOfHeader } from '../authorize.ts';
import type { Role, Tokens } from '#adapters/state/tokens.ts';
import { HOOK_DESCRIPTOR } from './hook-call.ts';
import type { HookChannels } from './hook-channels.ts';
import type { Repositories } from './repositories.ts';

const HEADER_BYTES = 64 * 1_024;
const KILL_AFTER_MS = 5_000;
const DRAIN_MS = 3_000;
/** Those whose token opens repositories; each other one has to be named here first. */
const READERS: readonly Role[] = ['admin', 'worker'];
const PATH = /^\/git\/(releases\/)?([^/]+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;

export interface GitHttpDependencies {
  root: string;
  repositories: Repositories;
  tokens: Tokens;
  machine: Readonly<Record<string, string | undefined>>;
  /** Folder of the hooks that every repository uses. */
  hooks: string;
  channels: HookChannels;
  maxPackBytes: number;
  log: Logger;
}

interface Asked {
  path: string;
  name: string;
  isReleases: boolean;
  writes: boolean;
}

/** Git's smart HTTP protocol: every request is handed to `git http-backend`, streamed both ways. */
export async function gitRoutes(
  app: FastifyInstance,
  dependencies: GitHttpDependencies,
): Promise<void> {
  const running = new Set<Promise<void>>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.route({
    method: ['GET', 'POST'],
    url: '/git/*',
    // Git bounds what it takes itself (receive.maxInputSize).
    bodyLimit: Number.MAX_SAFE_INTEGER,
    handler: (request, reply) => answer(request, reply, dependencies, running),
  });
  // Pushes that wait for their runs are told by their hooks, which have ended before the app closes.
  app.addHook('preClose', async () => {
    await Promise.race([Promise.all(running), sleep(DRAIN_MS, undefined, { ref: false })]);
  });
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  dependencies: GitHttpDependencies,
  running: Set<Promise<void>>,
): Promise<void> {
  const role = roleOfHeader(dependencies.tokens, request.headers.authorization);
  if (role === undefined) {
    await refuse(
      reply.header('www-authenticate', 'Basic realm="Windlass"'),
      401,
      'a token is needed: whichever user name, the token as password',
    );
    return;
  }
  if (!READERS.includes(role)) {
    await refuse(reply, 403, 'this token opens no repository');
    return;
  }
  const asked = readRequest(request);
  if (asked === undefined) {
    await refuse(reply, 404, 'there is no such repository');
    return;
  }
  if (asked.writes && (asked.isReleases || role !== 'admin')) {
    const why = asked.isReleases
      ? 'releases are read only: Windlass writes them'
      : 'this token may only read';
    await refuse(reply, 403, why);
    return;
  }
  const repository = dependencies.repositories.open(
    asked.isReleases ? `releases/${asked.name}` : asked.name,
  );
  if (asked.writes) await repository.create();
  else if (!(await repository.exists())) {
    await refuse(reply, 404, `there is no repository ${asked.name}: push to it first`);
    return;
  }
  reply.hijack();
  const closed = new Promise<void>((resolve) => {
    reply.raw.once('close', resolve);
  });
  running.add(closed);
  void closed.then(() => running.delete(closed));
  runBackend(request, reply.raw, asked, role, dependencies);
}

function readRequest(request: FastifyRequest): Asked | undefined {
  const [path = '', query = ''] = request.url.split('?');
  const [, releases, name = '', service] = PATH.exec(path) ?? [];
  const isGet = service === 'info/refs';
  if (service === undefined || isGet !== (request.method === 'GET')) return undefined;
  if (!Name.safeParse(name).success || (releases === undefined && name === 'releases'))
    return undefined;
  const wanted = isGet ? (new URLSearchParams(query).get('service') ?? '') : service;
  if (wanted !== 'git-upload-pack' && wanted !== 'git-receive-pack') return undefined;
  const writes = wanted === 'git-receive-pack';
  return { path: path.slice('/git'.length), name, isReleases: releases !== undefined, writes };
}

function runBackend(
  request: FastifyRequest,
  response: ServerResponse,
  asked: Asked,
  role: Role,
  dependencies: GitHttpDependencies,
): void {
  const { log } = dependencies;
  const child = spawn('git', ['http-backend'], {
    env: environmentOf(request, asked, role, dependencies),
    // The last is HOOK_DESCRIPTOR.
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  dependencies.channels.serve(child.stdio[HOOK_DESCRIPTOR] as Duplex, {
    repository: asked.name,
    url: `${request.protocol}://${request.host}`,
    who: role,
  });
  let errors = '';
  child.once('error', (error) => {
    log.error({ err: error }, 'git http-backend cannot be run');
    response.destroy();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-4_000);
  });
  child.once('close', (code) => {
    if (code !== 0 && !response.destroyed)
      log.warn({ repository: asked.name, code, errors: errors.trim() }, 'git http-backend failed');
    if (!response.headersSent) {
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('git failed on the server\n');
    }
  });
  child.stdin.on('error', () => {
    // It has read what it wanted.
  });
  const body = request.body as Readable | undefined;
  if (body === undefined) child.stdin.end();
  else body.pipe(child.stdin);
  body?.once('error', () => child.stdin.destroy());
  sendAnswer(child.stdout, response);
  // A client that is gone ends only its own git: what was pushed is stored, and its run goes on.
  response.once('close', () => endGroup(child.pid, () => child.exitCode !== null));
}

function environmentOf(
  request: FastifyRequest,
  asked: Asked,
  role: Role,
  { root, machine, hooks, maxPackBytes }: GitHttpDependencies,
): NodeJS.ProcessEnv {
  const { headers } = request;
  const config = [
    ['core.hooksPath', hooks],
    ['http.receivepack', String(asked.writes)],
    ['receive.maxInputSize', String(maxPackBytes)],
    ['receive.advertisePushOptions', 'true'],
    ['receive.denyDeleteCurrent', 'ignore'],
    ['receive.autogc', 'false'],
    ['transfer.hideRefs', 'refs/windlass'],
  ] as const;
  const optional = {
    CONTENT_TYPE: headers['content-type'],
    CONTENT_LENGTH: headers['content-length'],
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    GIT_PROTOCOL: header(headers['git-protocol']),
  };
  return {
    ...gitEnvironment(machine, config),
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_HTTP_MAX_REQUEST_BUFFER: '10M',
    PATH_INFO: asked.path,
    QUERY_STRING: request.url.split('?')[1] ?? '',
    REQUEST_METHOD: request.method,
    REMOTE_USER: role,
    REMOTE_ADDR: request.ip,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

/** Takes the CGI header off, and passes on all that follows. */
function sendAnswer(stdout: Readable, response: ServerResponse): void {
  let head = Buffer.alloc(0);
  function onData(chunk: Buffer): void {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) {
      if (head.length > HEADER_BYTES) response.destroy();
      return;
    }
    stdout.off('data', onData);
    stdout.pause();
    writeHead(head.subarray(0, end).toString('latin1'), response);
    response.write(head.subarray(end + 4));
    stdout.pipe(response);
  }
  stdout.on('data', onData);
}

function writeHead(head: string, response: ServerResponse): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.setHeader('x-content-type-options', 'nosniff');
  response.writeHead(status);
  response.flushHeaders();
}

function endGroup(pid: number | undefined, hasEnded: () => boolean): void {
  if (pid === undefined || hasEnded()) return;
  kill(pid, 'SIGTERM');
  setTimeout(() => hasEnded() || kill(pid, 'SIGKILL'), KILL_AFTER_MS).unref();
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

async function refuse(reply: FastifyReply, status: number, message: string): Promise<void> {
  await reply.status(status).type('text/plain').send(`${message}\n`);
}
