/** Which of a container's two outputs a piece came from. */
export type OutputStream = 'stdout' | 'stderr';

const HEADER_BYTES = 8;
/** The stream, and three times zero. */
const FRAME_START = 4;
const STDERR = 2;

export interface OutputPiece {
  stream: OutputStream;
  data: Buffer;
}

/**
 * Takes apart what Docker multiplexes: feed it chunks as they come, it answers the whole frames in them. A terminal has
 * one output only, which is not multiplexed: what does not begin like a frame is taken as it is.
 */
export function createDemux(): (chunk: Buffer) => OutputPiece[] {
  let rest: Buffer = Buffer.alloc(0);
  let begun = 0;
  let isPlain = false;
  return function feed(chunk: Buffer): OutputPiece[] {
    for (; begun < FRAME_START && begun < chunk.length + rest.length; begun += 1) {
      const byte = begun < rest.length ? rest[begun] : chunk[begun - rest.length];
      isPlain ||= (byte ?? 0) > (begun === 0 ? STDERR : 0);
    }
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const pieces: OutputPiece[] = [];
    if (isPlain) {
      if (rest.length > 0) pieces.push({ stream: 'stdout', data: rest });
      rest = Buffer.alloc(0);
      return pieces;
    }
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32BE(4);
      if (rest.length < end) break;
      pieces.push({
        stream: rest[0] === STDERR ? 'stderr' : 'stdout',
        data: rest.subarray(HEADER_BYTES, end),
      });
      rest = rest.subarray(end);
    }
    return pieces;
  };
}

/** Joins pieces into lines; the last, unfinished one stays until `end`. */
export function createLineSplitter(): { feed(data: Buffer): string[]; end(): string[] } {
  const decoder = new TextDecoder();
  let rest = '';
  return {
    feed(data) {
      const lines = (rest + decoder.decode(data, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      return lines.map(withoutReturn);
    },
    end() {
      const last = rest + decoder.decode();
      rest = '';
      return last === '' ? [] : [withoutReturn(last)];
    },
  };
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
