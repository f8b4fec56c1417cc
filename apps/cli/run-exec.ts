import { UserError } from '#core/errors.ts';
import { CHANNEL, decodeJson, encodeJson, End } from '#core/tunnel/frame.ts';
import type { Start } from '#core/tunnel/frame.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';
import type { Terminal } from './terminal.ts';

interface Wanted {
  start: Start;
  /** Whether our input is passed on. */
  input: boolean;
  /** Where the output goes. */
  write: Terminal['write'];
}

/** Runs a command through a tunnel to its end; answers its exit code. */
export async function runExec(
  tunnel: Tunnel,
  terminal: Terminal,
  { start, input, write }: Wanted,
): Promise<number> {
  const stopListening = start.terminal === undefined ? undefined : followSize(tunnel, terminal);
  const isRaw = input && start.terminal !== undefined;
  if (isRaw) terminal.setRaw(true);
  try {
    await tunnel.send(CHANNEL.start, encodeJson(start));
    const feeding = feed(tunnel, input ? terminal.input() : undefined);
    // A command may end without having read all of its input, and while we wait for a key.
    feeding.catch(() => {});
    for await (const { channel, data } of tunnel.frames) {
      if (channel === CHANNEL.stdout) await write('stdout', data);
      else if (channel === CHANNEL.stderr) await write('stderr', data);
      else if (channel === CHANNEL.end) return exitCodeOf(decodeJson(End, data));
    }
    throw new UserError('unavailable', 'the connection ended before the command did', {
      hint: 'it may still run: look with another exec',
    });
  } finally {
    stopListening?.();
    if (isRaw) terminal.setRaw(false);
    if (input) terminal.closeInput();
    tunnel.close();
  }
}

async function feed(tunnel: Tunnel, input: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  if (input !== undefined) for await (const data of input) await tunnel.send(CHANNEL.input, data);
  await tunnel.send(CHANNEL.inputEnd);
}

function followSize(tunnel: Tunnel, terminal: Terminal): () => void {
  return terminal.onResize(() => {
    tunnel.send(CHANNEL.resize, encodeJson(terminal.size())).catch(() => {
      // It ended: whoever reads the frames sees that.
    });
  });
}

function exitCodeOf({ exitCode, error }: End): number {
  if (exitCode !== undefined) return exitCode;
  throw new UserError('unavailable', error ?? 'the command ended without an exit code');
}
