import { nodeLabel } from '#core/swarm/node-label.ts';
import { APPLICATIONS_LABEL, REACH_LABEL, ROLE_LABEL, SERVER_LABEL } from './labels.ts';
import type { Member } from './match.ts';
import type { DeclaredServer, SeenNode } from './seen.ts';

/** The labels that a server's node is to have. */
export function labelsFor(
  { name, role, labels, reach }: DeclaredServer,
  node: SeenNode,
  members: readonly Member[],
): Record<string, string> {
  return {
    ...Object.fromEntries(
      Object.entries(labels).map(([label, value]) => [nodeLabel(label), value]),
    ),
    [SERVER_LABEL]: name,
    [ROLE_LABEL]: role,
    [REACH_LABEL]: reach,
    [APPLICATIONS_LABEL]: String(role === 'worker' || managersRun(node, members)),
  };
}

/**
 * Managers run applications while no workers are declared, and go on with what they run until there is a worker that is
 * ready. It stays so when that dies: all it ran must not land on managers.
 */
function managersRun(node: SeenNode, members: readonly Member[]): boolean {
  const workers = members.filter(
    ({ declared }) => declared?.role === 'worker' && declared.state !== 'absent',
  );
  if (workers.length === 0) return true;
  const isAnyReady = workers.some(
    ({ node: worker }) =>
      worker?.state === 'ready' &&
      worker.role === 'worker' &&
      worker.availability === 'active' &&
      worker.labels[APPLICATIONS_LABEL] === 'true',
  );
  return !isAnyReady && node.labels[APPLICATIONS_LABEL] === 'true';
}
