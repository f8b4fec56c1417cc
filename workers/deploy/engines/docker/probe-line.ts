import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { startExec } from '#adapters/docker/exec.ts';
import { createDemux, createLineSplitter } from '#adapters/docker/demux.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { ProbeResult } from './fold-probe.ts';
import { parseAnswer, PROBE_SCRIPT, probeRequest, type ProbeTarget } from './probe-shell.ts';

/** What a request may take beside its own timeout. */
const SLACK_MS = 5_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 5_000;

/** One long-lived shell in the proxy's sandbox that probes for all; opened anew when it ends. */
export interface ProbeLine {
  /** The sandbox to probe from; absent = none is running. */
  use(sandboxId: string | undefined): void;
  /** Absent where no probe could be made: that says nothing of the target. */
  ask(target: ProbeTarget): Promise<ProbeResult | undefined>;
  close(): void;
}

interface Question {
  answer: (result: ProbeResult | undefined) => void;
  timer: NodeJS.Timeout;
}

export function createProbeLine(context: DockerContext): ProbeLine {
  const questions = new Map<number, Question>();
  let lastId = 0;
  let sandbox: string | undefined;
  let stream: Duplex | undefined;
  let connection = new AbortController();

  function settle(id: number, result: ProbeResult | undefined): void {
    const question = questions.get(id);
    if (question === undefined) return;
    questions.delete(id);
    clearTimeout(question.timer);
    question.answer(result);
  }

  function hangUp(): void {
    stream = undefined;
    for (const id of questions.keys()) settle(id, undefined);
  }

  async function listen(sandboxId: string, signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const opened = await startExec(
          context.docker,
          sandboxId,
          ['sh', '-c', PROBE_SCRIPT],
          signal,
        );
        stream = opened.stream;
        failures = 0;
        await readAnswers(opened.stream, settle);
      } catch (error) {
        failures += 1;
        if (!signal.aborted) {
          context.log.debug({ cluster: context.cluster, reason: messageOf(error) }, 'no prober');
        }
      }
      if (signal.aborted) return;
      hangUp();
      const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
      await sleep(delayMs, undefined, { signal }).catch(() => {});
    }
  }

  return {
    use(sandboxId) {
      if (sandboxId === sandbox) return;
      connection.abort();
      hangUp();
      sandbox = sandboxId;
      connection = new AbortController();
      if (sandboxId !== undefined) void listen(sandboxId, connection.signal);
    },
    ask(target) {
      const line = stream;
      if (line === undefined || line.destroyed) return Promise.resolve(undefined);
      lastId += 1;
      const id = lastId;
      return new Promise((answer) => {
        const patienceMs = target.probe.timeoutSeconds * 1_000 + SLACK_MS;
        const timer = setTimeout(() => {
          settle(id, undefined);
          // The shell itself hangs: a new one is opened.
          line.destroy();
        }, patienceMs);
        timer.unref();
        questions.set(id, { answer, timer });
        line.write(probeRequest(id, target));
      });
    },
    close() {
      connection.abort();
      hangUp();
    },
  };
}

function readAnswers(
  stream: Duplex,
  settle: (id: number, result: ProbeResult) => void,
): Promise<void> {
  const feed = createDemux();
  const lines = createLineSplitter();
  stream.on('data', (chunk: Buffer) => {
    for (const { data } of feed(chunk)) {
      for (const line of lines.feed(data)) {
        const answer = parseAnswer(line);
        if (answer !== undefined) settle(answer.id, answer.result);
      }
    }
  });
  return new Promise((resolve) => stream.once('close', resolve));
}
