import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { openExecDuplex } from '#adapters/docker/exec-duplex.ts';
import type { Action } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { probeByExec } from './exec-probe.ts';
import type { ProbeResult } from './fold-probe.ts';
import { connectionProblem } from './http-probe.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import { askGrpc, askHttps } from './stream-probe.ts';

/** A running container. */
interface Asked {
  id: string;
  address: string;
}

/** Asks a container something. Absent where that could not be done: it says nothing of the container. */
export type AskContainer = (
  asked: Asked,
  action: Action,
  timeoutSeconds: number,
) => Promise<ProbeResult | undefined>;

/**
 * What is simple is asked by the shell in the proxy's sandbox. What needs TLS or HTTP/2 is spoken here, over a connection
 * that is made from there; a command runs in the container itself.
 */
export function createAskContainer(
  context: DockerContext,
  shell: SandboxShell,
  signal: AbortSignal,
): AskContainer {
  async function overConnection(
    address: string,
    port: number,
    timeoutSeconds: number,
    talk: (connection: Duplex, ends: AbortSignal) => Promise<ProbeResult>,
  ): Promise<ProbeResult | undefined> {
    const sandboxId = shell.sandboxId();
    if (sandboxId === undefined) return undefined;
    const done = new AbortController();
    const ends = AbortSignal.any([signal, done.signal]);
    const command = ['nc', address, String(port)];
    const connection = await openExecDuplex(context.docker, sandboxId, command, ends);
    // Whoever talks hears of it too.
    connection.on('error', () => {});
    try {
      return await Promise.race([
        talk(connection, ends).catch((error: unknown) => failed(connection.errored ?? error)),
        sleep(timeoutSeconds * 1_000, undefined, { signal: ends }).then(() => ({
          ok: false,
          answer: `no answer within ${timeoutSeconds} s`,
        })),
      ]);
    } finally {
      done.abort(new UserError('cancelled', 'the probe is over'));
      connection.destroy();
    }
  }

  async function ask(
    { id, address: own }: Asked,
    action: Action,
    timeoutSeconds: number,
  ): Promise<ProbeResult | undefined> {
    switch (action.kind) {
      case 'tcp':
        return shell.probe({ address: action.host ?? own, action, timeoutSeconds });
      case 'http': {
        const address = action.host ?? own;
        if (action.scheme === 'http') return shell.probe({ address, action, timeoutSeconds });
        return overConnection(address, action.port, timeoutSeconds, (connection, ends) =>
          askHttps(connection, address, action, ends),
        );
      }
      case 'grpc':
        return overConnection(own, action.port, timeoutSeconds, (connection, ends) =>
          askGrpc(connection, action, own, ends),
        );
      case 'exec':
        return probeByExec(context.docker, id, action.command, timeoutSeconds, signal);
    }
  }

  return async (asked, action, timeoutSeconds) => {
    try {
      return await ask(asked, action, timeoutSeconds);
    } catch (error) {
      if (!signal.aborted) {
        const reason = messageOf(error);
        context.log.debug({ cluster: context.cluster, reason }, 'a probe could not be made');
      }
      return undefined;
    }
  };
}

function failed(error: unknown): ProbeResult {
  return { ok: false, answer: connectionProblem(messageOf(error)) };
}
