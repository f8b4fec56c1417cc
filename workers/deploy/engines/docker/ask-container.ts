import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { openExecDuplex } from '#adapters/docker/exec-duplex.ts';
import type { Action } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { probeByExec } from './exec-probe.ts';
import type { ProbeResult } from './fold-probe.ts';
import { connectionProblem } from './http-probe.ts';
import { parseAnswer, parseProbed, probeRequest, SANDBOX_SCRIPT } from './sandbox-script.ts';
import type { ProbeTarget } from './sandbox-script.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import { askGrpc, askHttps } from './stream-probe.ts';

/** A running container. */
interface Asked {
  id: string;
  address: string;
  hostSandbox?: string;
}

/** Asks a container something. Absent where that could not be done: it says nothing of the container. */
export type AskContainer = (
  asked: Asked,
  action: Action,
  timeoutSeconds: number,
) => Promise<ProbeResult | undefined>;

/**
 * What is simple is asked by the shell in the proxy's sandbox. What needs TLS or HTTP/2 is spoken here, over a connection
 * that is made from there; a command runs in the container itself. Of a pod on the host's network, an address that the
 * probe names is meant as the host means it.
 */
export function createAskContainer(
  context: DockerContext,
  shell: SandboxShell,
  signal: AbortSignal,
): AskContainer {
  async function overExec(
    sandboxId: string | undefined,
    command: readonly string[],
    timeoutSeconds: number,
    talk: (connection: Duplex, ends: AbortSignal) => Promise<ProbeResult>,
  ): Promise<ProbeResult | undefined> {
    if (sandboxId === undefined) return undefined;
    const done = new AbortController();
    const ends = AbortSignal.any([signal, done.signal]);
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

  function probe(
    hostSandbox: string | undefined,
    target: ProbeTarget,
  ): Promise<ProbeResult | undefined> {
    if (hostSandbox === undefined) return shell.probe(target);
    const command = ['sh', '-c', SANDBOX_SCRIPT];
    return overExec(hostSandbox, command, target.timeoutSeconds + 1, (line) =>
      askScript(line, target),
    );
  }

  async function ask(
    { id, address: own, hostSandbox }: Asked,
    action: Action,
    timeoutSeconds: number,
  ): Promise<ProbeResult | undefined> {
    switch (action.kind) {
      case 'tcp':
      case 'http': {
        const address = action.host ?? own;
        const from = action.host === undefined ? undefined : hostSandbox;
        if (action.kind === 'tcp' || action.scheme === 'http')
          return probe(from, { address, action, timeoutSeconds });
        const command = ['nc', address, String(action.port)];
        return overExec(from ?? shell.sandboxId(), command, timeoutSeconds, (connection, ends) =>
          askHttps(connection, address, action, ends),
        );
      }
      case 'grpc': {
        const command = ['nc', own, String(action.port)];
        return overExec(shell.sandboxId(), command, timeoutSeconds, (connection, ends) =>
          askGrpc(connection, action, own, ends),
        );
      }
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

/** The script as the proxy's sandbox runs it, for one request. */
async function askScript(line: Duplex, target: ProbeTarget): Promise<ProbeResult> {
  line.write(probeRequest(1, target));
  for await (const answer of createInterface(line)) {
    const result = parseProbed(parseAnswer(answer)?.text ?? '');
    if (result !== undefined) return result;
  }
  throw new Error('no answer');
}

function failed(error: unknown): ProbeResult {
  return { ok: false, answer: connectionProblem(messageOf(error)) };
}
