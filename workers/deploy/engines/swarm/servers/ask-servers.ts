import type Docker from 'dockerode';
import { callDocker } from '#adapters/docker/call.ts';
import { UserError } from '#core/errors.ts';

/** A server that is booting takes connections and answers none: others must not wait for it. */
export const ANSWER_MS = 5_000;
/** Who takes longer to fail is not waited for again. */
const QUICK_MS = 500;

export interface InfoAnswer {
  ServerVersion: string;
  SystemTime: string;
  Swarm: {
    NodeID: string;
    NodeAddr: string;
    LocalNodeState: string;
    ControlAvailable: boolean;
    Error: string;
    RemoteManagers: { NodeID: string }[] | null;
    Cluster?: { ID?: string; Spec?: { Labels?: Record<string, string> | null } };
  };
}

/** What a server says of itself. */
export interface Answer {
  docker?: Docker;
  /** Absent where its Docker does not answer. */
  info?: InfoAnswer;
  /** Why it does not, where that stays so until somebody mends it. */
  problem?: string;
}

export interface Asker {
  /**
   * Waits for an answer, five seconds at most; but not of a server that was waited for in vain before: that is asked beside,
   * again and again, and is one that answers as of the first call after it did.
   */
  ask(reach: string, signal: AbortSignal): Promise<Answer>;
  /** Every server is waited for again. */
  forget(): void;
  close(): void;
}

/** Servers, by how they are reached. `client` answers the same one each time. */
export function createAsker(
  client: (reach: string) => Docker,
  answerMs: number = ANSWER_MS,
): Asker {
  /** What is known of those that are not waited for. */
  const silent = new Map<string, Answer>();
  const asked = new Set<string>();
  const closing = new AbortController();

  async function wait(reach: string, signal: AbortSignal): Promise<Answer> {
    const begun = performance.now();
    const answer = await askOnce(client, reach, answerMs, signal);
    const isSlow = performance.now() - begun >= QUICK_MS;
    if (answer.info === undefined && isSlow) silent.set(reach, answer);
    return answer;
  }

  async function askBeside(reach: string): Promise<void> {
    if (asked.has(reach)) return;
    asked.add(reach);
    try {
      const answer = await askOnce(client, reach, answerMs, closing.signal);
      if (answer.info === undefined) silent.set(reach, answer);
      else silent.delete(reach);
    } catch {
      // It was closed: nobody wants to know any more.
    } finally {
      asked.delete(reach);
    }
  }

  return {
    ask(reach, signal) {
      const known = silent.get(reach);
      if (known === undefined) return wait(reach, signal);
      void askBeside(reach);
      return Promise.resolve(known);
    },
    forget: () => silent.clear(),
    close: () => closing.abort(),
  };
}

async function askOnce(
  client: (reach: string) => Docker,
  reach: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const docker = client(reach);
    const request = { method: 'GET', path: '/info', signal, timeoutMs } as const;
    return { docker, info: await callDocker<InfoAnswer>(docker, request) };
  } catch (error) {
    signal.throwIfAborted();
    const lasts = error instanceof UserError && !error.transient;
    return lasts ? { problem: wordsOf(error) } : {};
  }
}

function wordsOf({ message, hint }: UserError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}
