import { callDocker } from '#adapters/docker/call.ts';
import { startInteractive } from '#adapters/docker/interactive.ts';
import type { Session, SessionTarget } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import { displayKey } from '#core/present/display.ts';
import type { DockerContext } from './context.ts';
import { locatePod } from './locate.ts';
import { filterOurs, LABEL } from './marks.ts';
import { sandboxName, systemName } from './names.ts';
import { newestRecords, readRecords } from './records.ts';
import type { ListedVolume } from './records.ts';

/** By `nc` in a sandbox of ours: the application's own image needs nothing for it. */
export async function connectTo(
  context: DockerContext,
  target: SessionTarget,
  port: number,
  signal: AbortSignal,
): Promise<Session> {
  const { container, address } = target.workload.startsWith('Service/')
    ? {
        container: systemName(context, 'proxy-sandbox'),
        address: await addressOf(context, target, signal),
      }
    : { container: await sandboxOf(context, target, signal), address: '127.0.0.1' };
  const command = ['nc', address, String(port)];
  return startInteractive(context.docker, { container, command }, signal);
}

async function sandboxOf(
  context: DockerContext,
  target: SessionTarget,
  signal: AbortSignal,
): Promise<string> {
  return sandboxName(context, target.namespace, await locatePod(context, target, signal));
}

async function addressOf(
  context: DockerContext,
  { workload }: SessionTarget,
  signal: AbortSignal,
): Promise<string> {
  const { Volumes: volumes } = await callDocker<{ Volumes: ListedVolume[] | null }>(
    context.docker,
    {
      method: 'GET',
      path: '/volumes',
      query: { filters: filterOurs(context, { [LABEL.resource]: workload }) },
      signal,
    },
  );
  const [record] = newestRecords(readRecords(context, volumes ?? []));
  if (record?.clusterIp !== undefined) return record.clusterIp;
  throw new UserError('not-found', `there is no ${displayKey(workload)} with an address`, {
    hint: '`windlass status` lists what there is; -n names another namespace',
  });
}
