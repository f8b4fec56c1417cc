import type { FleetView } from '#core/api/cluster.ts';
import { displayText } from '#core/present/display.ts';
import type { Paint } from './colour.ts';
import { tableLines } from './table.ts';

type Server = FleetView['servers'][number];

const HEAD = ['SERVER', 'ADDRESS', 'ROLE', 'STATE', 'AVAILABILITY', 'APPLICATIONS', 'DOCKER', ''];

/** The servers of a cluster, with what is under way with each and why. */
export function fleetLines({ servers, problems }: FleetView, paint: Paint): string[] {
  return [
    ...tableLines(
      HEAD,
      servers.map((server) => rowOf(server, paint)),
    ),
    ...problems.map((problem) => paint('red', displayText(problem))),
  ];
}

function rowOf(server: Server, paint: Paint): string[] {
  const { name, address, role = '', state, availability = '', version = '' } = server;
  return [
    name,
    address,
    server.isLeader ? `${role} (leader)` : role,
    paint(state === 'ready' ? 'green' : 'yellow', state),
    availability,
    server.runsApplications ? 'yes' : 'no',
    server.isReachable ? version : paint('red', 'does not answer'),
    displayText(underWay(server)),
  ];
}

const SIGNS: Readonly<Record<string, string>> = {
  init: '+',
  join: '+',
  leave: '-',
  remove: '-',
  clean: '-',
};

/** What is to be done with servers, a line each with its reason; then what keeps it from being done. */
export function fleetPlanLines({ servers, problems }: FleetView): string[] {
  return [
    ...servers.flatMap(({ name, pending, problem }) => [
      ...(pending === undefined ? [] : [stepLine(name, pending)]),
      ...(problem === undefined ? [] : [`    ${name}: ${displayText(problem)}`]),
    ]),
    ...problems.map((problem) => `    ${displayText(problem)}`),
  ];
}

function stepLine(
  name: string,
  { step, reason, held, after = [] }: NonNullable<Server['pending']>,
): string {
  const sign = after.includes('remove') ? '-' : (SIGNS[step] ?? '~');
  const next = after.length === 0 ? '' : `, then ${after.join(', ')}`;
  const waits = held === undefined ? '' : `; waits: ${displayText(held)}`;
  return `${sign} ${step} Server/${name}${next} (${displayText(reason)})${waits}`;
}

/** What is wrong comes before what goes on, and that before what is next. */
function underWay({ problem, waiting, pending, declared }: Server): string {
  if (problem !== undefined) return problem;
  if (waiting !== undefined) return waiting;
  if (pending !== undefined) {
    const { step, reason, held } = pending;
    return held === undefined ? `${step}: ${reason}` : `${step} (${reason}) waits: ${held}`;
  }
  return declared === undefined ? 'in no file any more' : '';
}
