import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { Start } from '#core/tunnel/frame.ts';
import { execInPod } from './exec.ts';
import { clientOfSockets, refusingClient, silentClient } from './testing/socket-server.ts';
import type { Behaviour } from './testing/socket-server.ts';

const NEVER = new AbortController().signal;
const PLACE = { namespace: 'shop', pod: 'web-0', container: 'web' };
function message(channel: number, text: string): Buffer {
  return Buffer.concat([Buffer.of(channel), Buffer.from(text)]);
}

function end(socket: WebSocket, status: unknown): void {
  socket.send(message(3, JSON.stringify(status)));
  socket.close();
}

function exit(code: number): unknown {
  const causes = [{ reason: 'ExitCode', message: String(code) }];
  return { status: 'Failure', reason: 'NonZeroExitCode', details: { causes } };
}

async function run(
  behaviour: Behaviour,
  start: Start = { command: ['cat', '-'] },
): Promise<{ output: string[]; exitCode: number }> {
  const session = await execInPod(
    await clientOfSockets('v5.channel.k8s.io', behaviour),
    PLACE,
    start,
    NEVER,
  );
  await session.write(Buffer.from('in'));
  session.end();
  const output: string[] = [];
  for await (const { stream, data } of session.output)
    output.push(`${stream} ${Buffer.from(data).toString()}`);
  return { output, exitCode: await session.exitCode() };
}

describe('execInPod', () => {
  it('runs the command with its input, and tells its output and end', async () => {
    let asked: URL | undefined;
    const { output, exitCode } = await run((socket, url) => {
      asked = url;
      socket.on('message', (data: Buffer) => {
        const [channel, which] = data;
        if (channel === 0) socket.send(message(1, data.subarray(1).toString()));
        if (channel !== 255 || which !== 0) return;
        socket.send(message(2, 'err'));
        end(socket, { status: 'Success' });
      });
    });
    expect(output).toEqual(['stdout in', 'stderr err']);
    expect(exitCode).toBe(0);
    expect(asked?.pathname).toBe('/api/v1/namespaces/shop/pods/web-0/exec');
    expect(asked?.searchParams.getAll('command')).toEqual(['cat', '-']);
    expect(asked?.searchParams.get('tty')).toBe('false');
  });

  it('tells with which code it ended', async () => {
    const { exitCode } = await run((socket) => end(socket, exit(3)));
    expect(exitCode).toBe(3);
  });

  it('gives a terminal its size', async () => {
    const sizes: string[] = [];
    const terminal = { columns: 80, rows: 24, type: 'xterm' };
    await run(
      (socket) =>
        socket.on('message', (data: Buffer) => {
          if (data[0] === 4) sizes.push(data.subarray(1).toString());
          if (data[0] === 255) end(socket, { status: 'Success' });
        }),
      { command: ['sh'], terminal },
    );
    expect(sizes).toEqual(['{"Width":80,"Height":24}']);
  });

  it.each([
    [
      'it did not run',
      (socket: WebSocket) => end(socket, { status: 'Failure', message: 'no such program' }),
      /did not run: no such program/,
    ],
    [
      'the connection broke off',
      (socket: WebSocket) => socket.terminate(),
      /broke off before the command ended/,
    ],
  ])('has no exit code where %s', async (_, behaviour, why) => {
    await expect(run(behaviour)).rejects.toThrow(why);
  });

  it('ends when it is ended before the API server has answered', async () => {
    const stop = new AbortController();
    const client = await silentClient(() => stop.abort(new Error('nobody waits any more')));
    await expect(execInPod(client, PLACE, { command: ['sh'] }, stop.signal)).rejects.toThrow(
      'nobody waits any more',
    );
  });

  it('says why the API server does not let it', async () => {
    const client = await refusingClient('ann cannot create pods/exec');
    await expect(execInPod(client, PLACE, { command: ['sh'] }, NEVER)).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining('ann cannot create pods/exec') as string,
    });
  });
});
