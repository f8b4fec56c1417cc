import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { InvalidFiles, messageOf, UserError } from '#core/errors.ts';
import { createCallReader } from './hook-call.ts';
import type { HookCall, PushRequest } from './hook-call.ts';

export type HandleHook = (
  call: HookCall,
  say: (line: string) => void,
  signal: AbortSignal,
) => Promise<number>;

/** The channels to the hooks of the pushes under way. */
export interface HookChannels {
  serve(channel: Duplex, request: PushRequest): void;
  /** Tells every push that the server stops. */
  close(): void;
}

export function createHookChannels(handle: HandleHook, log: Logger): HookChannels {
  const open = new Map<Duplex, HookCall['phase']>();
  let isClosed = false;

  async function answerAll(channel: Duplex, request: PushRequest): Promise<void> {
    const gone = new AbortController();
    channel.once('close', () => gone.abort(new Error('the push is gone')));
    channel.on('error', () => {
      // `close` follows.
    });
    const read = createCallReader(request);
    for await (const line of createInterface({ input: channel })) {
      const call = read(line);
      if (call === undefined) continue;
      open.set(channel, call.phase);
      if (isClosed) return endWith(channel, call.phase);
      const exit = await answer(call, (text) => say(channel, text), gone.signal);
      write(channel, `exit ${exit}`);
    }
  }

  async function answer(
    call: HookCall,
    tell: (line: string) => void,
    signal: AbortSignal,
  ): Promise<number> {
    try {
      return await handle(call, tell, signal);
    } catch (error) {
      if (signal.aborted) return 1;
      if (error instanceof InvalidFiles || error instanceof UserError) {
        tell(error.message);
        if (error.hint !== undefined) tell(error.hint);
      } else {
        log.error({ err: error, repository: call.repository }, 'a push could not be handled');
        tell(`windlass: the server failed (${messageOf(error)}); its log says more`);
      }
      return 1;
    }
  }

  return {
    serve(channel, request) {
      open.set(channel, 'pre-receive');
      channel.once('close', () => open.delete(channel));
      answerAll(channel, request).catch((error: unknown) => {
        log.error({ err: error }, 'a git hook could not be answered');
        channel.destroy();
      });
    },
    close() {
      isClosed = true;
      for (const [channel, phase] of open) endWith(channel, phase);
    },
  };
}

function endWith(channel: Duplex, phase: HookCall['phase']): void {
  const isStored = phase === 'post-receive';
  say(
    channel,
    `windlass: the server stops; ${isStored ? 'what was pushed is stored' : 'push again later'}`,
  );
  write(channel, `exit ${isStored ? 0 : 1}`);
  channel.end();
}

function say(channel: Duplex, text: string): void {
  for (const line of text.split('\n')) write(channel, `say ${line}`);
}

function write(channel: Duplex, line: string): void {
  if (channel.writable) channel.write(`${line}\n`);
}
