import type { LogLine } from '#core/ports.ts';
import { displayText } from '#core/present/display.ts';
import type { Run, RunStep } from '#core/run/run.ts';

/**
 * What to tell of a run after what was told of it as `before`. By comparing, not by event: what was missed in between
 * is told then too. Log lines, plans among them, come by `logLine`.
 */
export function runLines(before: Run | undefined, run: Run): string[] {
  const known = new Map(before?.steps.map((step) => [step.name, step]));
  const steps = run.steps.flatMap((step) => stepLines(known.get(step.name), step));
  return before === undefined ? [firstLine(run), ...steps] : steps;
}

export function logLine({ line }: Pick<LogLine, 'line'>): string {
  return `  | ${displayText(line)}`;
}

/** The last line of a finished run; absent while it goes on. */
export function verdictLine(run: Run): string | undefined {
  const name = `${run.pipeline} ${run.commit.slice(0, 8)}`;
  switch (run.state) {
    case 'succeeded':
      return `DEPLOYED ${name} in ${secondsBetween(run.createdAt, run.endedAt)}`;
    case 'failed':
      return `FAILED ${run.pipeline}: ${displayText(run.reason)}`;
    case 'cancelled':
      return `CANCELLED ${run.pipeline}: ${displayText(run.reason)}`;
    case 'superseded':
      return `SUPERSEDED ${run.pipeline}: ${displayText(run.reason)}`;
    case 'queued':
    case 'running':
      return undefined;
  }
}

function firstLine(run: Run): string {
  return `run ${run.id} of ${run.pipeline}, ${displayText(run.branch)} at ${run.commit.slice(0, 8)}`;
}

function stepLines(before: RunStep | undefined, step: RunStep): string[] {
  if (before?.state === step.state) return [];
  const detail = step.detail === undefined ? '' : `: ${displayText(step.detail)}`;
  switch (step.state) {
    case 'running':
      return [`> ${step.name}`];
    case 'succeeded':
      return [`ok ${step.name}${took(step)}${detail}`];
    case 'failed':
      return [`failed ${step.name}${took(step)}${detail}`];
    case 'cancelled':
      return [`cancelled ${step.name}`];
    case 'pending':
    case 'skipped':
      return [];
  }
}

function took({ startedAt, endedAt }: RunStep): string {
  return startedAt === undefined ? '' : ` (${secondsBetween(startedAt, endedAt)})`;
}

function secondsBetween(start: number, end: number | undefined): string {
  const seconds = Math.max(0, (end ?? start) - start) / 1_000;
  return seconds < 10 ? `${seconds.toFixed(1)}s` : `${Math.round(seconds)}s`;
}
