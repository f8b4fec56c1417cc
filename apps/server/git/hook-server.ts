import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { InvalidFiles, messageOf, UserError } from '#core/errors.ts';
import { HookCall } from './hook/protocol.ts';
import type { HookAnswer } from './hook/protocol.ts';

/** Linux takes no longer path of a socket. */
const PATH_BYTES = 100;

export type HandleHook = (
  call: HookCall,
  say: (line: string) => void,
  signal: AbortSignal,
) => Promise<number>;

export interface HookServer {
  path: string;
  close(): Promise<void>;
}

/** Listens on a unix socket for the git hooks of this machine's pushes. */
export async function startHookServer(
  wanted: string,
  handle: HandleHook,
  log: Logger,
): Promise<HookServer> {
  const path = await socketPath(wanted);
  await rm(path, { force: true });
  const waiting = new Map<Socket, HookCall['phase']>();
  const server = createServer((socket) => {
    waiting.set(socket, 'pre-receive');
    socket.once('close', () => waiting.delete(socket));
    serve(socket, (phase) => waiting.set(socket, phase), handle, log).catch((error: unknown) => {
      log.error({ err: error }, 'a git hook could not be answered');
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    path,
    async close() {
      if (!server.listening) return;
      for (const [socket, phase] of waiting) {
        const isStored = phase === 'post-receive';
        const told = isStored ? 'what was pushed is stored' : 'push again later';
        send(socket, { line: `windlass: the server stops; ${told}` });
        send(socket, { exit: isStored ? 0 : 1 });
        socket.destroySoon();
      }
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      if (path !== wanted) await rm(dirname(path), { recursive: true, force: true });
    },
  };
}

async function serve(
  socket: Socket,
  onPhase: (phase: HookCall['phase']) => void,
  handle: HandleHook,
  log: Logger,
): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new Error('the push is gone')));
  socket.on('error', () => {
    // `close` follows.
  });
  for await (const line of createInterface({ input: socket })) {
    const call = HookCall.parse(JSON.parse(line));
    onPhase(call.phase);
    const exit = await answer(
      call,
      handle,
      (text) => send(socket, { line: text }),
      gone.signal,
      log,
    );
    send(socket, { exit });
    socket.end();
    return;
  }
}

async function answer(
  call: HookCall,
  handle: HandleHook,
  say: (line: string) => void,
  signal: AbortSignal,
  log: Logger,
): Promise<number> {
  try {
    return await handle(call, say, signal);
  } catch (error) {
    if (signal.aborted) return 1;
    if (error instanceof InvalidFiles || error instanceof UserError) {
      for (const line of error.message.split('\n')) say(line);
      if (error.hint !== undefined) say(error.hint);
    } else {
      log.error({ err: error, repository: call.repository }, 'a push could not be handled');
      say(`windlass: the server failed (${messageOf(error)}); its log says more`);
    }
    return 1;
  }
}

function send(socket: Socket, message: HookAnswer): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

async function socketPath(wanted: string): Promise<string> {
  if (Buffer.byteLength(wanted) <= PATH_BYTES) return wanted;
  return join(await mkdtemp(join(tmpdir(), 'windlass-')), 'hook.sock');
}
