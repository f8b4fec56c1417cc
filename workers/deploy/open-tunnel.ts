import type { Logger } from 'pino';
import type { Engine, Place, Session } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { JobPayload } from '#core/queue/jobs.ts';
import { CHANNEL, decodeJson, encodeJson, Start, TerminalSize } from '#core/tunnel/frame.ts';
import type { Channel, Frame } from '#core/tunnel/frame.ts';
import type { Tunnel } from '#core/tunnel/tunnel.ts';
import type { EventRecorder } from './record-events.ts';

export type DialTunnel = (id: string, signal: AbortSignal) => Promise<Tunnel>;

interface TunnelContext {
  engine: Engine;
  dialTunnel: DialTunnel;
  recorder: Pick<EventRecorder, 'tell'>;
  log: Logger;
}

/** Answers where it leads, or fails with why it leads nowhere; what goes through it goes on beside the queue. */
export async function openTunnel(
  { id, namespace, workload, container, port, who }: JobPayload<'tunnel'>,
  { engine, dialTunnel, recorder, log }: TunnelContext,
  stop: AbortSignal,
): Promise<Partial<Place>> {
  const ended = new AbortController();
  const signal = AbortSignal.any([stop, ended.signal]);
  const target = { namespace, workload, ...(container === undefined ? {} : { container }) };

  function goOn(begin: (tunnel: Tunnel, frames: AsyncIterator<Frame>) => Promise<Session>): void {
    dialTunnel(id, signal)
      .then((tunnel) => serve(tunnel, begin, ended, signal))
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn({ workload, err: error }, 'a tunnel broke');
      })
      .finally(() => ended.abort());
  }

  if (port !== undefined) {
    const session = await engine.connect(target, port, signal);
    goOn(() => Promise.resolve(session));
    return {};
  }
  const place = await engine.locate(target, signal);
  recorder.tell({
    type: 'Normal',
    owner: place.owner,
    resource: place.resource,
    pod: place.pod,
    reason: 'Exec',
    message: `${who} began a command in container ${place.container}`,
  });
  goOn(async (_tunnel, frames) => engine.exec(place, await readStart(frames), signal));
  return place;
}

async function serve(
  tunnel: Tunnel,
  begin: (tunnel: Tunnel, frames: AsyncIterator<Frame>) => Promise<Session>,
  ended: AbortController,
  signal: AbortSignal,
): Promise<void> {
  const frames = tunnel.frames[Symbol.asyncIterator]();
  let feeding = Promise.resolve();
  let isGone = false;
  let isOver = false;
  async function send(channel: Channel, data: Uint8Array): Promise<void> {
    if (isGone) return;
    await tunnel.send(channel, data).catch(() => {
      isGone = true;
    });
  }
  async function feedToEnd(session: Session): Promise<void> {
    try {
      await feed(frames, session);
    } finally {
      isGone = true;
      // What it says while it is ended is read, and goes nowhere.
      if (!isOver) await session.hangUp().finally(() => ended.abort());
    }
  }
  try {
    const session = await begin(tunnel, frames);
    feeding = feedToEnd(session);
    // Told below, where it matters.
    feeding.catch(() => {});
    for await (const { stream, data } of session.output)
      await send(stream === 'stdout' ? CHANNEL.stdout : CHANNEL.stderr, data);
    isOver = true;
    await send(CHANNEL.end, encodeJson({ exitCode: await session.exitCode() }));
  } catch (error) {
    if (!signal.aborted) await send(CHANNEL.end, encodeJson({ error: messageOf(error) }));
  } finally {
    tunnel.close();
  }
  await feeding.catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** Until the other side is gone. */
async function feed(frames: AsyncIterator<Frame>, session: Session): Promise<void> {
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { channel, data } = next.value;
    if (channel === CHANNEL.input) await session.write(data);
    else if (channel === CHANNEL.inputEnd) session.end();
    else if (channel === CHANNEL.resize) await session.resize(decodeJson(TerminalSize, data));
  }
}

async function readStart(frames: AsyncIterator<Frame>): Promise<Start> {
  const first = await frames.next();
  if (first.done !== true && first.value.channel === CHANNEL.start)
    return decodeJson(Start, first.value.data);
  throw new UserError('invalid-input', 'a tunnel for a command begins with what to run');
}
