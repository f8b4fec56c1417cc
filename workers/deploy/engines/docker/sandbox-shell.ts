import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { runInContainer, startExec } from '#adapters/docker/exec.ts';
import { createDemux, createLineSplitter } from '#adapters/docker/demux.ts';
import { messageOf } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import type { ProbeResult } from './fold-probe.ts';
import {
  parseAnswer,
  parseEnding,
  parseProbed,
  probeRequest,
  type ProbeTarget,
  runRequest,
  SANDBOX_SCRIPT,
} from './sandbox-script.ts';

/** What a probe may take beside its own timeout. */
const SLACK_MS = 5_000;
const RUN_PATIENCE_MS = 20_000;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 5_000;

/** One long-lived shell in the proxy's sandbox, which does what there is to do there; opened anew when it ends. */
export interface SandboxShell {
  /** The sandbox it is in; absent = none is running. */
  use(sandboxId: string | undefined): void;
  sandboxId(): string | undefined;
  /** Absent where no probe could be made: that says nothing of the target. */
  probe(target: ProbeTarget): Promise<ProbeResult | undefined>;
  /** Runs a script, which may be run twice, in that sandbox to its end; answers what it says, and throws it where it fails. */
  run(sandboxId: string, script: string, signal: AbortSignal): Promise<string>;
  close(): void;
}

interface Question {
  answer: (text: string | undefined) => void;
  timer: NodeJS.Timeout;
}

export function createSandboxShell(context: DockerContext): SandboxShell {
  const questions = new Map<number, Question>();
  let lastId = 0;
  let sandbox: string | undefined;
  let stream: Duplex | undefined;
  let connection = new AbortController();
  /** Resolves when the shell is there, or could not be opened. */
  let opening: Promise<void> = Promise.resolve();

  function settle(id: number, text: string | undefined): void {
    const question = questions.get(id);
    if (question === undefined) return;
    questions.delete(id);
    clearTimeout(question.timer);
    question.answer(text);
  }

  function hangUp(): void {
    stream = undefined;
    for (const id of questions.keys()) settle(id, undefined);
  }

  async function listen(
    sandboxId: string,
    onTried: () => void,
    signal: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const command = ['sh', '-c', SANDBOX_SCRIPT];
        const opened = await startExec(context.docker, sandboxId, command, 'open', signal);
        stream = opened.stream;
        failures = 0;
        onTried();
        await readAnswers(opened.stream, settle);
      } catch (error) {
        failures += 1;
        if (!signal.aborted) {
          const reason = messageOf(error);
          context.log.debug({ cluster: context.cluster, reason }, 'no shell in the sandbox');
        }
      }
      onTried();
      if (signal.aborted) return;
      hangUp();
      const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
      await sleep(delayMs, undefined, { signal }).catch(() => {});
    }
  }

  function use(sandboxId: string | undefined): void {
    if (sandboxId === sandbox) return;
    connection.abort();
    hangUp();
    sandbox = sandboxId;
    connection = new AbortController();
    const { signal } = connection;
    opening = new Promise((resolve) => {
      if (sandboxId === undefined) resolve();
      else void listen(sandboxId, resolve, signal);
    });
  }

  /** Absent where the shell is not there, or ends before it answers. */
  function ask(request: (id: number) => string, patienceMs: number): Promise<string | undefined> {
    const line = stream;
    if (line === undefined || line.destroyed) return Promise.resolve(undefined);
    lastId += 1;
    const id = lastId;
    return new Promise((answer) => {
      const timer = setTimeout(() => {
        settle(id, undefined);
        // The shell itself hangs: a new one is opened.
        line.destroy();
      }, patienceMs);
      timer.unref();
      questions.set(id, { answer, timer });
      line.write(request(id));
    });
  }

  async function runInShell(
    sandboxId: string,
    script: string,
  ): Promise<{ exitCode: number; said: string } | undefined> {
    use(sandboxId);
    await opening;
    const text = await ask((id) => runRequest(id, script), RUN_PATIENCE_MS);
    return text === undefined ? undefined : parseEnding(text);
  }

  return {
    use,
    sandboxId: () => sandbox,
    async probe(target) {
      const patienceMs = target.timeoutSeconds * 1_000 + SLACK_MS;
      const text = await ask((id) => probeRequest(id, target), patienceMs);
      return text === undefined ? undefined : parseProbed(text);
    },
    async run(sandboxId, script, signal) {
      const whole = `set -e\n${script}`;
      const { exitCode, said } =
        (await runInShell(sandboxId, whole)) ??
        (await runByExec(context, sandboxId, whole, signal));
      signal.throwIfAborted();
      if (exitCode !== 0) throw new Error(`the proxy's sandbox could not be set up: ${said}`);
      return said;
    },
    close() {
      connection.abort();
      hangUp();
    },
  };
}

async function runByExec(
  context: DockerContext,
  sandboxId: string,
  script: string,
  signal: AbortSignal,
): Promise<{ exitCode: number; said: string }> {
  const { exitCode, stdout, stderr } = await runInContainer(
    context.docker,
    { container: sandboxId, command: ['sh'], input: Buffer.from(script) },
    signal,
  );
  return { exitCode, said: `${stdout}${stderr}`.trim() };
}

function readAnswers(stream: Duplex, settle: (id: number, text: string) => void): Promise<void> {
  const feed = createDemux();
  const lines = createLineSplitter();
  stream.on('data', (chunk: Buffer) => {
    for (const { data } of feed(chunk)) {
      for (const line of lines.feed(data)) {
        const answer = parseAnswer(line);
        if (answer !== undefined) settle(answer.id, answer.text);
      }
    }
  });
  return new Promise((resolve) => stream.once('close', resolve));
}
