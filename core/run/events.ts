import type { Plan } from '#core/plan/change.ts';
import type { StepState } from '#core/run/run.ts';

/** What happens to a run. `transition(run, event)` is the only way a run changes. `at` is ms since the epoch. */
export type RunEvent =
  | { kind: 'started'; at: number }
  /** The commit that will be built, after a fetch. */
  | { kind: 'resolved'; commit: string; subject: string; at: number }
  | { kind: 'step'; step: string; state: StepState; detail?: string; at: number }
  | { kind: 'image'; image: string; reference: string; at: number }
  /** Built and rendered: the deploys may begin. */
  | { kind: 'rendered'; at: number }
  | { kind: 'released'; entry: string; release: string; at: number }
  | { kind: 'planned'; entry: string; plan: Plan; at: number }
  /** What a deploy waits for, while it waits. */
  | { kind: 'waiting'; entry: string; reason: string; at: number }
  /** It serves; `held` are deletions that wait for a confirmation. */
  | { kind: 'deployed'; entry: string; held?: Plan; at: number }
  | { kind: 'deploy-failed'; entry: string; reason: string; restored?: string; at: number }
  | { kind: 'failed'; reason: string; at: number }
  | { kind: 'cancel-requested'; who: string; at: number }
  | { kind: 'cancelled'; at: number; restored?: string }
  /** A newer run of the branch is there: ends the run unless it has begun to release. */
  | { kind: 'overtaken'; by: string; at: number }
  /** Another release has taken the place of the run's own. */
  | { kind: 'superseded'; by: string; at: number };
