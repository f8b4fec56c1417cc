import type { BuildStatus, Vertex } from '#adapters/docker/build-protocol.ts';
import { createLineSplitter } from '#adapters/docker/demux.ts';

const TAIL_LINES = 20;
/** Names of steps that change the image; the rest is looking things up. */
const DOES_WORK = /^\[[^\]]*\d+\/\d+\] (RUN|COPY|ADD|WORKDIR)\b/;

interface FailedStep {
  /** As the Dockerfile has it, e.g. `[check 2/3] RUN npm test`. */
  name: string;
  message: string;
  /** The last lines it wrote. */
  tail: string[];
}

/** Turns what BuildKit tells into lines for a log, and remembers what failed. */
export interface BuildTrace {
  feed(status: BuildStatus): string[];
  /** Lines that were not ended. */
  end(): string[];
  failed(): FailedStep | undefined;
  /** Whether every step was answered from the cache. */
  isCached(): boolean;
}

interface Step {
  name: string;
  told: 'nothing' | 'started' | 'completed';
  cached: boolean;
  error: string;
  lines: ReturnType<typeof createLineSplitter>;
  tail: string[];
}

export function createBuildTrace(): BuildTrace {
  const steps = new Map<string, Step>();
  let speaker = '';

  function stepOf(digest: string): Step {
    const known = steps.get(digest) ?? newStep();
    steps.set(digest, known);
    return known;
  }

  /** Steps run side by side: says whose lines come next when that changes. */
  function say(digest: string, step: Step, lines: readonly string[]): string[] {
    if (lines.length === 0) return [];
    step.tail.push(...lines);
    step.tail.splice(0, step.tail.length - TAIL_LINES);
    const isNew = speaker !== digest && step.name !== '';
    speaker = digest;
    return isNew ? [step.name, ...lines] : [...lines];
  }

  function tellVertex(vertex: Vertex): string[] {
    const step = stepOf(vertex.digest);
    step.name = vertex.name;
    step.error = vertex.error;
    step.cached = vertex.cached;
    if (isInternal(vertex.name) && vertex.error === '') return [];
    const lines: string[] = [];
    if (vertex.completed === null) {
      if (vertex.started === null || step.told !== 'nothing') return [];
      step.told = 'started';
      speaker = vertex.digest;
      return [vertex.name];
    }
    if (step.told === 'completed') return [];
    if (vertex.cached && step.told === 'nothing') lines.push(`CACHED ${vertex.name}`);
    else if (step.told === 'nothing') lines.push(vertex.name);
    if (vertex.error !== '') lines.push(`ERROR ${vertex.name}: ${vertex.error}`);
    step.told = 'completed';
    if (lines.length > 0) speaker = vertex.digest;
    return lines;
  }

  return {
    feed(status) {
      const lines = status.vertexes.flatMap(tellVertex);
      for (const each of status.statuses) {
        if (each.completed === null || each.total === 0) continue;
        lines.push(...say(each.vertex, stepOf(each.vertex), [statusLine(each.ID, each.total)]));
      }
      for (const { vertex, msg } of status.logs) {
        const step = stepOf(vertex);
        lines.push(...say(vertex, step, step.lines.feed(msg)));
      }
      return lines;
    },
    end() {
      return [...steps].flatMap(([digest, step]) => say(digest, step, step.lines.end()));
    },
    failed() {
      const all = [...steps.values()].filter((step) => step.error !== '');
      const step = all.find((each) => !/context canceled/.test(each.error)) ?? all[0];
      return step && { name: step.name, message: step.error, tail: [...step.tail] };
    },
    isCached() {
      return [...steps.values()].every((step) => step.cached || !DOES_WORK.test(step.name));
    },
  };
}

function newStep(): Step {
  return {
    name: '',
    told: 'nothing',
    cached: false,
    error: '',
    lines: createLineSplitter(),
    tail: [],
  };
}

function isInternal(name: string): boolean {
  return name.startsWith('[internal]');
}

function statusLine(id: string, total: number): string {
  return `${id} ${(total / 1_000_000).toFixed(1)} MB`;
}
