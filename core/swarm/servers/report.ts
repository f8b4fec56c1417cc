import type { Decision } from './decide-servers.ts';
import { nextStep } from './decide-servers.ts';
import { match } from './match.ts';
import { APPLICATIONS_LABEL } from './labels.ts';
import type { DeclaredServer, Role, Seen } from './seen.ts';
import type { StepKind } from './step.ts';
import { stepsAfter } from './steps-after.ts';

/** How a server of a fleet is, for displays. */
export interface ServerStatus {
  name: string;
  /** At which the others reach it; of one that is in no file any more as the swarm knows it. */
  address: string;
  role?: Role;
  /** As declared; absent where it is in no file any more. */
  declared?: DeclaredServer['state'];
  /** In the swarm: `ready`, `down`, `disconnected`; `out` where it is no node, `unknown` where nobody can tell. */
  state: string;
  availability?: string;
  /** Docker there answers. */
  isReachable: boolean;
  isLeader: boolean;
  /** Applications may run there. */
  runsApplications: boolean;
  /** Of Docker. */
  version?: string;
  /** What is to be done with it next, and what after that. */
  pending?: { step: string; reason: string; held?: string; after?: string[] };
  /** What goes on with it. */
  waiting?: string;
  problem?: string;
}

/** A step that was carried out. */
export interface ServerStepDone {
  server: string;
  step: StepKind;
  reason: string;
}

export interface FleetPass {
  status: FleetStatus;
  /** In this pass. */
  done: ServerStepDone[];
}

export interface FleetStatus {
  servers: ServerStatus[];
  /** Of the fleet as a whole. */
  problems: string[];
}

export function reportServers(
  declared: readonly DeclaredServer[],
  seen: Seen,
  decision: Decision,
): FleetStatus {
  const { members } = match(declared, seen.servers, seen.swarm?.nodes ?? []);
  const addresses = new Map(declared.map(({ name, advertise }) => [name, advertise]));
  const isTold = seen.swarm !== undefined;
  const isOver = nextStep(decision) === undefined && decision.waiting.length === 0;
  const present = members.filter(
    ({ name, declared: is, node }) =>
      (is !== undefined && is.state !== 'absent') ||
      node !== undefined ||
      decision.problems.some(({ server }) => server === name),
  );
  return {
    servers: present
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map((member): ServerStatus => {
        const { name, declared: is, node, engine } = member;
        const [step, ...others] = decision.steps.filter(({ server }) => server === name);
        const after = step === undefined ? [] : stepsAfter(step, others, member);
        const waiting = decision.waiting.find(({ server }) => server === name)?.reason;
        const problem = decision.problems.find(({ server }) => server === name)?.message;
        const role = is?.role ?? node?.role;
        const version = engine?.version ?? node?.version;
        return {
          name,
          address: addresses.get(name) ?? node?.address ?? '',
          ...(role === undefined ? {} : { role }),
          ...(is === undefined ? {} : { declared: is.state }),
          state: node?.state ?? (isTold || engine?.membership === 'out' ? 'out' : 'unknown'),
          ...(node === undefined ? {} : { availability: node.availability }),
          isReachable: engine !== undefined,
          isLeader: node?.raft?.isLeader ?? false,
          runsApplications: node?.labels[APPLICATIONS_LABEL] === 'true',
          ...(version === undefined ? {} : { version }),
          ...(step === undefined
            ? {}
            : {
                pending: {
                  step: step.kind,
                  reason: step.reason,
                  ...(step.held === undefined ? {} : { held: step.held }),
                  ...(after.length === 0 ? {} : { after }),
                },
              }),
          ...(waiting === undefined || isOver ? {} : { waiting }),
          ...(problem === undefined ? {} : { problem }),
        };
      }),
    problems: decision.problems
      .filter(({ server }) => server === undefined)
      .map(({ message }) => message),
  };
}
