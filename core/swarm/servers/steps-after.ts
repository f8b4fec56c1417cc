import type { Member } from './match.ts';
import type { PendingStep, StepKind } from './step.ts';

/** What comes after the next step with a server, as far as that can be foreseen: in their order, each once. */
export function stepsAfter(
  next: PendingStep,
  others: readonly PendingStep[],
  member: Pick<Member, 'declared' | 'node'>,
): StepKind[] {
  const known = others.map(({ kind }) => kind);
  const kinds = [...known, ...foreseen(next.kind, member)];
  return [...new Set(kinds)].filter((kind) => kind !== next.kind);
}

function foreseen(
  next: StepKind,
  { declared, node }: Pick<Member, 'declared' | 'node'>,
): readonly StepKind[] {
  const isToStay = declared !== undefined && declared.state !== 'absent';
  const asDeclared: StepKind[] = [
    'label',
    ...(declared?.role === 'manager' ? (['promote'] as const) : []),
    ...(declared?.state === 'drain' ? (['drain'] as const) : []),
  ];
  const out: StepKind[] = [...(node?.role === 'manager' ? (['demote'] as const) : []), 'leave'];
  switch (next) {
    case 'init':
      return ['label'];
    case 'join':
      return asDeclared;
    case 'clean':
      return isToStay ? ['join', ...asDeclared] : [];
    case 'pause':
      return isToStay ? ['drain'] : ['drain', ...out, 'remove'];
    case 'drain':
      return isToStay ? [] : [...out, 'remove'];
    case 'demote':
      if (isToStay) return [];
      return node?.state === 'ready' ? ['leave', 'remove'] : ['remove'];
    case 'leave':
      return ['remove'];
    case 'label':
    case 'activate':
    case 'promote':
    case 'remove':
      return [];
  }
}
