import { describe, expect, it } from 'vitest';
import { createDemux, createLineSplitter } from '#adapters/docker/demux.ts';

function frame(stream: number, text: string): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

describe('createDemux', () => {
  const whole = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, '')]);

  it.each([1, 2, 3, 7, 8, 11, whole.length])('finds the frames in chunks of %i bytes', (size) => {
    const feed = createDemux();
    const pieces = [];
    for (let at = 0; at < whole.length; at += size)
      pieces.push(...feed(whole.subarray(at, at + size)));
    expect(pieces.map(({ stream, data }) => [stream, data.toString()])).toEqual([
      ['stdout', 'out'],
      ['stderr', 'err'],
      ['stdout', ''],
    ]);
  });
});

describe('createDemux of a terminal', () => {
  it.each([1, 2, 3, 100])('takes what it wrote as it is, in chunks of %i bytes', (size) => {
    const feed = createDemux();
    const whole = Buffer.from('a terminal\r\n');
    const pieces = [];
    for (let at = 0; at < whole.length; at += size)
      pieces.push(...feed(whole.subarray(at, at + size)));
    expect(pieces.map(({ data }) => data.toString()).join('')).toBe('a terminal\r\n');
    expect(pieces.every(({ stream }) => stream === 'stdout')).toBe(true);
  });
});

describe('createLineSplitter', () => {
  it('keeps an unfinished line, also in the middle of a character', () => {
    const lines = createLineSplitter();
    const bytes = Buffer.from('grün\r\nrot\nblau');
    expect([...lines.feed(bytes.subarray(0, 3)), ...lines.feed(bytes.subarray(3))]).toEqual([
      'grün',
      'rot',
    ]);
    expect(lines.end()).toEqual(['blau']);
    expect(lines.end()).toEqual([]);
  });
});
