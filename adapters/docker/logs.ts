import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { callDocker, explainCut, openStream } from '#adapters/docker/call.ts';
import { createDemux, createLineSplitter, type OutputStream } from '#adapters/docker/demux.ts';

export interface ContainerLine {
  stream: OutputStream;
  line: string;
}

export interface LogQuery {
  follow: boolean;
  tail?: number;
  /** Milliseconds since the epoch. */
  since?: number;
}

/** The lines a container wrote, as they come; ends with the container, or when aborted. */
export async function* followLogs(
  docker: Docker,
  container: string,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<ContainerLine> {
  const stream = await openStream(docker, {
    method: 'GET',
    path: `/containers/${container}/logs`,
    query: {
      stdout: true,
      stderr: true,
      follow: query.follow,
      ...(query.tail === undefined ? {} : { tail: query.tail }),
      ...(query.since === undefined ? {} : { since: seconds(query.since) }),
    },
    signal,
  });
  yield* readLines(stream, signal);
}

/** The lines that all tasks of a Swarm service wrote, each after its details (`com.docker.swarm.task.id=…`) and a space. */
export async function* followServiceLogs(
  docker: Docker,
  service: string,
  { follow, tail }: Pick<LogQuery, 'follow' | 'tail'>,
  signal: AbortSignal,
): AsyncGenerator<ContainerLine> {
  const query = { stdout: true, stderr: true, details: true, follow };
  const stream = await openStream(docker, {
    method: 'GET',
    path: `/services/${service}/logs`,
    query: tail === undefined ? query : { ...query, tail },
    signal,
  });
  yield* readLines(stream, signal);
}

/** The lines a container writes from now on; ends with the container, or when aborted. */
export async function followOutput(
  docker: Docker,
  container: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<ContainerLine>> {
  const stream = await openStream(docker, {
    method: 'POST',
    path: `/containers/${container}/attach`,
    query: { stream: true, stdout: true, stderr: true },
    signal,
  });
  return readLines(stream, signal);
}

async function* readLines(stream: Readable, signal: AbortSignal): AsyncGenerator<ContainerLine> {
  const feed = createDemux();
  const lines = { stdout: createLineSplitter(), stderr: createLineSplitter() };
  try {
    for await (const chunk of stream) {
      for (const { stream: name, data } of feed(chunk as Buffer)) {
        for (const line of lines[name].feed(data)) yield { stream: name, line };
      }
    }
  } catch (error) {
    if (!signal.aborted) throw explainCut(error);
  }
  for (const name of ['stdout', 'stderr'] as const) {
    for (const line of lines[name].end()) yield { stream: name, line };
  }
}

/** The last lines a container wrote before `until` (ms since the epoch). */
export async function tailLogs(
  docker: Docker,
  container: string,
  options: { lines: number; until?: number },
  signal: AbortSignal,
): Promise<string[]> {
  const answer = await callDocker<Buffer | string | object>(docker, {
    method: 'GET',
    path: `/containers/${container}/logs`,
    query: {
      stdout: true,
      stderr: true,
      tail: options.lines,
      ...(options.until === undefined ? {} : { until: seconds(options.until) }),
    },
    signal,
  });
  if (!Buffer.isBuffer(answer)) return [];
  const text = createDemux()(answer).map(({ data }) => data.toString());
  return text
    .join('')
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
