import type Docker from 'dockerode';
import { explainCut, openStream } from '#adapters/docker/call.ts';
import { createLineSplitter } from '#adapters/docker/demux.ts';

/** What Docker tells of one thing that happened. */
export interface DockerEvent {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

/** Events from now on; ends when the connection does. `onConnected` is called once nothing can be missed any more. */
export async function* followEvents(
  docker: Docker,
  filters: Record<string, string[]>,
  onConnected: () => void,
  signal: AbortSignal,
): AsyncGenerator<DockerEvent> {
  const stream = await openStream(docker, {
    method: 'GET',
    path: '/events',
    query: { filters: JSON.stringify(filters) },
    signal,
  });
  onConnected();
  const lines = createLineSplitter();
  try {
    for await (const chunk of stream) {
      for (const line of lines.feed(chunk as Buffer)) {
        if (line !== '') yield JSON.parse(line) as DockerEvent;
      }
    }
  } catch (error) {
    throw explainCut(error);
  }
}
