import type { RunView } from '#core/api/run.ts';
import { displayLines, displayText } from '#core/present/display.ts';
import { planLines } from '#core/present/plan-lines.ts';
import type { RunState, StepState } from '#core/run/run.ts';
import type { Colour, Paint } from './colour.ts';
import { paintPlanLine } from './plan.ts';
import { tableLines } from './table.ts';
import { formatAge, formatDuration } from './time.ts';

const COMMIT_LENGTH = 8;

const COLOURS: Record<RunState | StepState, Colour> = {
  queued: 'dim',
  pending: 'dim',
  skipped: 'dim',
  running: 'cyan',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
  superseded: 'yellow',
};

interface Display {
  paint: Paint;
  now: number;
}

export function shortCommit(commit: string): string {
  return commit.slice(0, COMMIT_LENGTH);
}

export function runTable(runs: readonly RunView[], { paint, now }: Display): string[] {
  if (runs.length === 0) return ['no runs yet'];
  return tableLines(
    ['RUN', 'PIPELINE', 'BRANCH', 'COMMIT', 'STATE', 'TOOK', 'AGE', 'SUBJECT'],
    runs.map((run) => [
      run.id,
      run.pipeline,
      run.branch,
      shortCommit(run.commit),
      paint(COLOURS[run.state], run.state),
      took(run, now),
      formatAge(now - run.createdAt),
      displayText(run.subject ?? ''),
    ]),
  );
}

/** Everything about one run: how it stands, each step, each deploy with its plan. */
export function runDetails(run: RunView, { paint, now }: Display): string[] {
  const attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : '';
  const [reason, ...more] = reasonLines(run.reason);
  return [
    `run ${paint('bold', run.id)} of ${run.pipeline}, ${run.branch} at ${shortCommit(run.commit)}${attempt}`,
    ...(run.subject === undefined ? [] : [`    ${displayText(run.subject)}`]),
    `${paint(COLOURS[run.state], run.state)}${reason}`,
    ...more,
    '',
    ...tableLines(
      ['STEP', 'STATE', 'TOOK', 'DETAIL'],
      run.steps.map((step) => stepRow(step, { paint, now })),
    ),
    ...run.deploys.flatMap((deploy) => deployLines(deploy, paint)),
  ];
}

/** `DEPLOYED` or what else became of it, the last word on a run. */
export function runVerdict(run: RunView, paint: Paint): string[] {
  const [reason, ...more] = reasonLines(run.reason);
  const word = run.state === 'succeeded' && run.deploys.length > 0 ? 'deployed' : run.state;
  return [`${paint(COLOURS[run.state], word.toUpperCase())} run ${run.id}${reason}`, ...more];
}

/** `: ` and the first line, then the others indented. */
function reasonLines(reason = ''): [string, ...string[]] {
  const [first = '', ...more] = displayLines(reason.trimEnd());
  return [first === '' ? '' : `: ${first}`, ...more.map((line) => `    ${line}`)];
}

function took(part: { startedAt?: number; endedAt?: number }, now: number): string {
  return part.startedAt === undefined ? '' : formatDuration((part.endedAt ?? now) - part.startedAt);
}

function stepRow(step: RunView['steps'][number], { paint, now }: Display): string[] {
  const detail = displayText(step.detail ?? '');
  return [step.name, paint(COLOURS[step.state], step.state), took(step, now), detail];
}

function deployLines(deploy: RunView['deploys'][number], paint: Paint): string[] {
  const release = deploy.release === undefined ? '' : `, release ${shortCommit(deploy.release)}`;
  const [reason, ...more] = reasonLines(deploy.reason);
  return [
    '',
    `${deploy.entry} on ${deploy.cluster}${release}: ${paint(COLOURS[deploy.state], deploy.state)}${reason}`,
    ...more,
    ...(deploy.restored === undefined
      ? []
      : [`  the last healthy release was restored as ${shortCommit(deploy.restored)}`]),
    ...planLines(deploy.plan ?? []).map((line) => `  ${paintPlanLine(line, paint)}`),
  ];
}
