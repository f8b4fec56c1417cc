import type { DeclaredServer, SeenNode } from './seen.ts';

interface StepArguments {
  /** Begins a swarm. */
  init: { declared: DeclaredServer };
  /** As a worker, always. */
  join: { declared: DeclaredServer };
  label: { node: SeenNode; labels: Readonly<Record<string, string>> };
  promote: { node: SeenNode };
  demote: { node: SeenNode };
  activate: { node: SeenNode };
  /** Takes no new tasks, before it is drained. */
  pause: { node: SeenNode };
  /** `forGood`: it is to leave, and the time is noted. */
  drain: { node: SeenNode; forGood: boolean };
  /** The server leaves. */
  leave: { node: SeenNode };
  /** The swarm forgets the node. `isAway`: its server was not told, and is when it comes back. */
  remove: { node: SeenNode; isAway: boolean };
  /** The server forgets a swarm that has forgotten it. */
  clean: object;
}
export type StepKind = keyof StepArguments;
export type ServerStep<K extends StepKind = StepKind> = {
  [P in K]: { readonly kind: P; readonly server: string; readonly reason: string } & Readonly<
    StepArguments[P]
  >;
}[K];

/** A step that is to be done, or cannot be yet, and why. */
export type PendingStep = ServerStep & { readonly held?: string };
