import { once } from 'node:events';
import type { Session } from '#core/engine.ts';
import { pathOf } from '#core/kubernetes/api-kind.ts';
import { channelsOf } from './channels.ts';
import type { KubeClient } from './client.ts';
import { PODS } from './pod-logs.ts';
import type { PodContainer } from './pod-logs.ts';

/** Of one port: the first message of each channel is its number, and nothing of the connection. */
const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;

/** After the client's end: one that has gone is not told from one that only listens. */
const SILENCE_MS = 30_000;

/**
 * A connection to a port within a pod; many are one WebSocket each. That the client has nothing more to say cannot be told
 * through it: the connection ends when the pod has, or has been silent for `silenceMs` since.
 */
export async function connectToPod(
  client: KubeClient,
  { namespace, pod }: Pick<PodContainer, 'namespace' | 'pod'>,
  port: number,
  signal: AbortSignal,
  silenceMs = SILENCE_MS,
): Promise<Session> {
  const path = `${pathOf(PODS, namespace, pod)}/portforward`;
  const socket = await client.connect(path, { ports: port }, [PROTOCOL], signal);
  const channels = channelsOf(socket);
  let isRefused = false;
  let silence: NodeJS.Timeout | undefined;
  socket.on('close', () => clearTimeout(silence));
  socket.on('message', () => silence?.refresh());

  async function* output(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }> {
    const begun = new Set<number>();
    for await (const { channel, data } of channels.messages()) {
      silence?.refresh();
      if (!begun.has(channel)) begun.add(channel);
      else if (channel === DATA) yield { stream: 'stdout', data };
      else if (channel === ERROR) {
        isRefused = true;
        yield { stream: 'stderr', data: Buffer.from(causeIn(data.toString('utf8'))) };
      }
    }
  }

  return {
    write: (data) => channels.send(DATA, data),
    end() {
      silence ??= setTimeout(() => {
        // While it waits for a slow reader, nothing is heard of a pod that may well speak.
        if (socket.isPaused && socket.readyState === socket.OPEN) silence?.refresh();
        else socket.close();
      }, silenceMs);
    },
    async hangUp() {
      if (socket.readyState === socket.CLOSED) return;
      socket.close();
      await once(socket, 'close', { signal });
    },
    resize: () => Promise.resolve(),
    output: output(),
    exitCode: () => Promise.resolve(isRefused ? 1 : 0),
  };
}

/** Without where in its node it went wrong, e.g. `dial tcp4 127.0.0.1:81: connect: connection refused`. */
function causeIn(told: string): string {
  return /dial tcp4? .*?(?= IPv6|$)/s.exec(told)?.[0] ?? told;
}
