import type Docker from 'dockerode';
import { callDocker, explainCut, openStream } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { readJsonLines } from '#adapters/docker/json-lines.ts';
import { messageOf, UserError } from '#core/errors.ts';

/** A push that says nothing for so long hangs. */
const SILENCE_MS = 120_000;
const LASTING =
  /denied|unauthorized|authentication required|no basic auth|forbidden|not found|invalid|does not exist/i;

interface PushMessage {
  id?: string;
  status?: string;
  error?: string;
  aux?: { Digest?: string };
}

/** Pushes an image that is in the engine and answers the digest under which the registry has it. */
export async function pushImage(
  docker: Docker,
  image: { repository: string; tag: string },
  credentials: ReadCredentials,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const name = `${image.repository}:${image.tag}`;
  const quiet = new AbortController();
  const timer = setTimeout(() => quiet.abort(), SILENCE_MS);
  try {
    const stream = await openStream(docker, {
      method: 'POST',
      path: `/images/${image.repository}/push`,
      query: { tag: image.tag },
      auth: (await credentials(name)) ?? {},
      timeoutMs: SILENCE_MS,
      signal: AbortSignal.any([signal, quiet.signal]),
    });
    const lineOf = createPushLines();
    let digest: string | undefined;
    for await (const message of readJsonLines<PushMessage>(stream)) {
      timer.refresh();
      if (message.error !== undefined) throw new Error(message.error);
      digest = message.aux?.Digest ?? digest;
      const line = lineOf(message);
      if (line !== undefined) onLine(line);
    }
    signal.throwIfAborted();
    if (digest === undefined) throw new Error('the registry answered no digest');
    return digest;
  } catch (error) {
    signal.throwIfAborted();
    throw explainPush(name, quiet.signal.aborted ? new Error('it stood still') : explainCut(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Gives an image another name. */
export async function tagImage(
  docker: Docker,
  image: string,
  { repository, tag }: { repository: string; tag: string },
  signal: AbortSignal,
): Promise<void> {
  await callDocker(docker, {
    method: 'POST',
    path: `/images/${image}/tag`,
    query: { repo: repository, tag },
    signal,
  });
}

/** What the registry refused, transient unless its words say that trying again is no use. */
function explainPush(name: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const message = messageOf(error);
  const lasting = LASTING.test(message);
  return new UserError(
    lasting ? 'unauthorized' : 'unavailable',
    `pushing ${name} failed: ${message}`,
    {
      cause: error,
      transient: !lasting,
      ...(lasting ? { hint: 'is the repository right, and did you `docker login` there?' } : {}),
    },
  );
}

/** Layers as they end, and each time that Docker waits to send one again; the bars in between are for terminals. */
export function createPushLines(): (message: PushMessage) => string | undefined {
  const waits = new Map<string, number>();
  return function lineOf({ id, status = '' }) {
    if (id === undefined) return undefined;
    const isDone =
      status === 'Pushed' || status === 'Layer already exists' || status.startsWith('Mounted');
    if (isDone) return `${id}: ${status}`;
    const seconds = Number(/^Retrying in (\d+) second/.exec(status)?.[1] ?? 0);
    // It counts down; a longer wait is another try.
    const isNew = seconds > (waits.get(id) ?? 0);
    waits.set(id, seconds);
    return isNew ? `${id}: the registry did not take it, trying again in ${seconds} s` : undefined;
  };
}
