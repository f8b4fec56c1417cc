import type { LossAnswer } from '#core/api/fleet.ts';
import { displayKey } from '#core/present/display.ts';
import { bytesText } from './bytes.ts';
import type { Paint } from './colour.ts';
import { tableLines } from './table.ts';

const NANO = 1e9;
type ServiceLoss = LossAnswer['services'][number];
type Stuck = ServiceLoss['stuck'][number];

/** Something would not run again by itself. */
export function isHarmful({ quorum, services }: LossAnswer): boolean {
  return !quorum.holds || services.some(({ stuck }) => stuck.length > 0);
}

/** What would happen, for a person. */
export function lossLines(loss: LossAnswer, paint: Paint): string[] {
  const { lost, services, servers } = loss;
  const rows = servers.map(({ server, tasks, free }) => [
    server,
    String(tasks.before),
    String(tasks.after),
    `${Math.max(0, free.nanoCpus / NANO).toFixed(1)} CPUs, ${bytesText(Math.max(0, free.memoryBytes))}`,
  ]);
  return [
    `without ${lost.map(lostText).join(', ')}:`,
    quorumLine(loss, paint),
    ...(services.length === 0 ? ['nothing runs there'] : []),
    ...services.flatMap((service) => ['', ...serviceLines(service, loss.quorum.holds, paint)]),
    '',
    ...tableLines(['SERVER', 'TASKS NOW', 'THEN', 'FREE THEN'], rows),
    '',
    paint('dim', 'An estimate: where servers are alike, Swarm takes any of them.'),
  ];
}

function lostText({ server, role, isDown, isLeader }: LossAnswer['lost'][number]): string {
  return `${server} (${isLeader ? 'the leader' : role}${isDown ? ', down already' : ''})`;
}

function quorumLine({ quorum }: LossAnswer, paint: Paint): string {
  const { managers, needed, after, holds } = quorum;
  const count = `${after} of ${managers} managers answer, ${needed} are needed`;
  return holds
    ? `quorum holds: ${count}`
    : `${paint('red', 'quorum is lost')}: ${count}; nothing is moved, what runs elsewhere goes on`;
}

function serviceLines(service: ServiceLoss, moves: boolean, paint: Paint): string[] {
  const { service: key, owner, kind, tasks, unharmed } = service;
  const name = paint('bold', displayKey(key)) + (owner === undefined ? '' : ` of ${owner}`);
  if (kind === 'global') return [`${name}: goes with its servers, ${unharmed} of ${tasks} go on`];
  const gone =
    unharmed === 0 ? paint('yellow', 'none of its tasks goes on') : `${unharmed} of ${tasks} go on`;
  const routes = Map.groupBy(service.moves, ({ from, to }) => `${from} → ${to}`);
  return [
    `${name}: ${gone}`,
    ...[...routes].map(([route, some]) => `  ${route}: ${some.length}`),
    ...stuckLines(service.stuck, moves, paint),
  ];
}

function stuckLines(stuck: readonly Stuck[], moves: boolean, paint: Paint): string[] {
  const groups = Map.groupBy(stuck, ({ from, why }) => JSON.stringify({ from, why }));
  return [...groups.values()].flatMap((some) => {
    const [first] = some;
    if (first === undefined) return [];
    const line = `  ${first.from} → ${paint('red', 'nowhere')}: ${some.length}`;
    const reasons = Map.groupBy(first.why, ({ why }) => why);
    return [
      line,
      ...(moves
        ? [...reasons].map(
            ([why, at]) => `    ${at.map(({ server }) => server).join(', ')}: ${why}`,
          )
        : []),
    ];
  });
}
