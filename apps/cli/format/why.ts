import type { WhyAnswer } from '#core/api/why.ts';
import { displayKey, displayText } from '#core/present/display.ts';
import type { Paint } from './colour.ts';
import { shortCommit } from './run.ts';
import { tableLines } from './table.ts';
import { formatAge } from './time.ts';

/** From the container to the push, a line each; what is not known is left out. */
export function whyLines(answer: WhyAnswer, paint: Paint, now: number): string[] {
  const [first = [], ...rest] = rows(answer, now);
  return tableLines(first, rest).map((line) =>
    line.replace(/^\S+( \S+)?/, (name) => paint('dim', name)),
  );
}

function rows(answer: WhyAnswer, now: number): string[][] {
  const { cluster, container, declared, byHand } = answer;
  const { id, name, image, state, createdAt, role, owner, resource, pod } = container;
  const age = `${state}, made ${formatAge(now - createdAt)} ago`;
  return [
    ['container', `${id.slice(0, 12)} ${name}: ${age}`],
    ['image', image],
    ...(pod === undefined ? [] : [['pod', role === 'sandbox' ? `${pod}, its sandbox` : pod]]),
    resource === undefined
      ? ['for', `the cluster ${cluster} itself: its ${role}`]
      : ['workload', `${displayKey(resource)} on cluster ${cluster}`],
    ...(owner === undefined
      ? []
      : [['deploy entry', declared ? owner : `${owner}, which is not declared there any more`]]),
    ...byHand.map((text) => ['by hand', text]),
    ...releaseRows(answer, now),
  ];
}

function releaseRows({ release, head, run }: WhyAnswer, now: number): string[][] {
  if (release === undefined) return [];
  const { commit, subject, author, at, source, sourceRef, restores, runId, pushedBy } = release;
  const since = commit === head ? ' (the newest)' : '';
  const back = restores === undefined ? '' : `, bringing back ${shortCommit(restores)}`;
  const who = run?.trigger.who ?? pushedBy;
  const when = run === undefined ? '' : `, ${formatAge(now - run.createdAt)} ago`;
  const ref = displayText(sourceRef.replace('refs/heads/', ''));
  return [
    [
      'release',
      `${shortCommit(commit)}${since}, ${formatAge(now - at)} ago${back}: ${displayText(subject)}`,
    ],
    ...(runId === undefined ? [] : [['run', run === undefined ? runId : `${runId} ${run.state}`]]),
    ['commit', `${shortCommit(source)} of ${ref} by ${displayText(author)}`],
    ...(who === undefined ? [] : [[howText(run?.trigger.kind), `${displayText(who)}${when}`]]),
  ];
}

function howText(kind: string | undefined): string {
  const words: Record<string, string> = {
    retry: 'retried by',
    rollback: 'rolled back by',
    sweep: 'found by',
    poll: 'found by',
  };
  return words[kind ?? ''] ?? 'pushed by';
}
