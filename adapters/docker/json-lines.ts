import type { Readable } from 'node:stream';
import { createLineSplitter } from '#adapters/docker/demux.ts';

/** The JSON messages of an answer that Docker streams, one a line. */
export async function* readJsonLines<T>(stream: Readable): AsyncGenerator<T> {
  const lines = createLineSplitter();
  for await (const chunk of stream) {
    for (const line of lines.feed(chunk as Buffer)) {
      if (line.trim() !== '') yield JSON.parse(line) as T;
    }
  }
  for (const line of lines.end()) {
    if (line.trim() !== '') yield JSON.parse(line) as T;
  }
}
