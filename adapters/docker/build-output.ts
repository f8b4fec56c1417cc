import type { Readable } from 'node:stream';
import { buildProtocol } from '#adapters/docker/build-protocol.ts';
import { createBuildTrace } from '#adapters/docker/build-trace.ts';
import { createLineSplitter } from '#adapters/docker/demux.ts';
import { readJsonLines } from '#adapters/docker/json-lines.ts';

const TAIL_LINES = 20;
/** The classic builder paints what a step writes to standard error. */
// oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
const STDERR_COLOUR = /\u001b\[(?:91|0)m/g;
const CLASSIC_NOISE = /^ ---> |^Removing intermediate container /;
const CLASSIC_STEP = /^Step \d+\/\d+ : (.*)$/;

export interface BuildFailure {
  message: unknown;
  /** The instruction that failed, where it is known. */
  step?: string;
  tail?: readonly string[];
}

export interface BuildOutcome {
  imageId?: string;
  cached: boolean;
  failure?: BuildFailure;
}

interface BuildMessage {
  id?: string;
  aux?: unknown;
  stream?: string;
  status?: string;
  error?: string;
}

export async function readBuildKit(
  stream: Readable,
  onLine: (line: string) => void,
): Promise<BuildOutcome> {
  const trace = createBuildTrace();
  let imageId: string | undefined;
  let error: string | undefined;
  for await (const message of readJsonLines<BuildMessage>(stream)) {
    if (message.id === 'moby.buildkit.trace') {
      const bytes = Buffer.from(String(message.aux), 'base64');
      for (const line of trace.feed(buildProtocol().decodeStatus(bytes))) onLine(line);
    }
    imageId ??= imageIdIn(message);
    error ??= message.error;
  }
  for (const line of trace.end()) onLine(line);
  if (error !== undefined) {
    const failed = trace.failed();
    const step = failed === undefined ? {} : { step: failed.name, tail: failed.tail };
    return { cached: false, failure: { message: error, ...step } };
  }
  return { cached: trace.isCached(), ...(imageId === undefined ? {} : { imageId }) };
}

export async function readClassic(
  stream: Readable,
  onLine: (line: string) => void,
): Promise<BuildOutcome> {
  const lines = createLineSplitter();
  const seen = { step: '', tail: [] as string[], ran: 0 };
  function tell(line: string): void {
    const text = line.replace(STDERR_COLOUR, '').trimEnd();
    if (text === '') return;
    onLine(text);
    const step = CLASSIC_STEP.exec(text)?.[1];
    if (step !== undefined) Object.assign(seen, { step, tail: [] });
    else if (!CLASSIC_NOISE.test(text)) seen.tail = [...seen.tail, text].slice(-TAIL_LINES);
    if (text.includes('---> Running in')) seen.ran += 1;
  }
  let imageId: string | undefined;
  let error: string | undefined;
  for await (const message of readJsonLines<BuildMessage>(stream)) {
    for (const line of lines.feed(Buffer.from(message.stream ?? ''))) tell(line);
    imageId = imageIdIn(message) ?? imageId;
    error ??= message.error;
  }
  lines.end().forEach(tell);
  if (error !== undefined) {
    return { cached: false, failure: { message: error, step: seen.step, tail: seen.tail } };
  }
  return { cached: seen.ran === 0, ...(imageId === undefined ? {} : { imageId }) };
}

function imageIdIn({ aux }: BuildMessage): string | undefined {
  if (typeof aux !== 'object' || aux === null || !('ID' in aux)) return undefined;
  return String(aux.ID);
}
