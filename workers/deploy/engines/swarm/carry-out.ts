import { callDocker, DockerError, isStatus } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { UserError } from '#core/errors.ts';
import { keyOf } from '#core/resources/resource.ts';
import { MARK, marksOf } from '#core/swarm/marks.ts';
import { claimVolume, recordName } from '#core/swarm/names.ts';
import type { ServiceSpec, SwarmFile } from '#core/swarm/service.ts';
import type { LiveFile, NewRecord, SwarmStep } from '#core/swarm/world.ts';
import { StepWaits } from '../docker/step-waits.ts';
import type { CertificateOrders } from '../docker/certificate-orders.ts';
import type { SwarmContext } from './context.ts';
import type { SwarmNetwork } from './network.ts';
import type { Observed } from './observe.ts';
import { chooseLogin } from './choose-login.ts';
import { dockerOf } from './moved-claims.ts';
import type { Connect, ServerProxies } from './server-proxies.ts';

/** A config has to hold something; what a record says is in its labels. */
const RECORD_CONTENT = Buffer.from('record').toString('base64');
/** Swarm takes no empty file: of a template nothing may be left. */
const EMPTY_TEMPLATE = Buffer.from('{{""}}').toString('base64');
/** Another writer was first, or what is written about is gone: the next look tells. */
const OUT_OF_DATE = /out of sequence|already exists|name conflicts|in use by|not found/i;

export interface Writing {
  observed: Observed;
  network: SwarmNetwork | undefined;
  proxies: ServerProxies;
  orders: CertificateOrders;
  readCredentials: ReadCredentials;
  connect: Connect | undefined;
  signal: AbortSignal;
}

/**
 * Does one step. False where somebody else was first, so that the world is another than it was decided for, and where a
 * certificate has to wait for its turn.
 */
export async function carryOut(
  context: SwarmContext,
  step: SwarmStep,
  writing: Writing,
): Promise<boolean> {
  if (step.kind === 'orderCertificate') return writing.orders.begin(step.order);
  try {
    await doStep(context, step, writing);
    return true;
  } catch (error) {
    if (error instanceof DockerError && OUT_OF_DATE.test(error.message)) {
      context.log.debug(
        { cluster: context.cluster, step: step.kind, reason: error.message },
        'somebody else was first',
      );
      return false;
    }
    throw error;
  }
}

async function doStep(
  context: SwarmContext,
  step: Exclude<SwarmStep, { kind: 'orderCertificate' }>,
  writing: Writing,
): Promise<void> {
  const { observed, signal } = writing;
  switch (step.kind) {
    case 'record':
      return writeRecord(context, step, writing);
    case 'forget': {
      const record = observed.records.get(recordName(context, step.key));
      if (record !== undefined) await remove(context, `/configs/${record.id}`, signal);
      return;
    }
    case 'createFile':
      return createFile(context, step, writing);
    case 'createService':
      return writeService(context, '/services/create', {}, step, writing);
    case 'updateService': {
      const path = `/services/${step.id}/update`;
      return writeService(context, path, { version: step.version }, step, writing);
    }
    case 'endTasks':
      return endTasks(context, step, signal);
    case 'createClaim':
      return createClaim(context, step, writing);
    case 'removeService':
      return remove(context, `/services/${step.id}`, signal);
    case 'removeFile':
      return remove(context, pathOf(step.file), signal);
    case 'placeProbes':
    case 'configureProxy':
    case 'configureDns':
    case 'configureEdge':
    case 'configureRecords':
    case 'configureUdp':
      if (writing.network !== undefined)
        await writing.proxies.configure(step, writing.network, signal);
  }
}

async function writeRecord(
  context: SwarmContext,
  record: NewRecord,
  writing: Writing,
): Promise<void> {
  const { owner, resource, recordedAt, tried, done, failed, held, clusterIp, nodePorts } = record;
  const { cron, set } = record;
  const key = keyOf(resource);
  const Name = recordName(context, key);
  const Labels = {
    ...marksOf(context, 'record'),
    [MARK.owner]: owner,
    [MARK.resource]: key,
    [MARK.recorded]: JSON.stringify(resource),
    [MARK.recordedAt]: String(recordedAt),
    ...(tried === undefined ? {} : { [MARK.tried]: tried }),
    ...(done === undefined ? {} : { [MARK.done]: done }),
    ...(failed === undefined ? {} : { [MARK.failed]: JSON.stringify(failed) }),
    ...(cron === undefined ? {} : { [MARK.cron]: JSON.stringify(cron) }),
    ...(set === undefined ? {} : { [MARK.set]: JSON.stringify(set) }),
    ...(held === true ? { [MARK.held]: 'yes' } : {}),
    ...(clusterIp === undefined ? {} : { [MARK.clusterIp]: clusterIp }),
    ...(nodePorts === undefined ? {} : { [MARK.nodePorts]: JSON.stringify(nodePorts) }),
  };
  await writeLabels(context, Name, Labels, writing);
}

/** Where the volume is, then the volume: Swarm itself makes it with the first task where this is cut off between. */
async function createClaim(
  context: SwarmContext,
  { owner, claim }: Extract<SwarmStep, { kind: 'createClaim' }>,
  writing: Writing,
): Promise<void> {
  const Name = claimVolume(context, claim);
  const Labels = {
    ...marksOf(context, 'claim'),
    [MARK.owner]: owner,
    [MARK.namespace]: claim.namespace,
    [MARK.claim]: claim.name,
    [MARK.node]: claim.node,
    [MARK.server]: claim.server,
  };
  const { observed, connect, signal } = writing;
  const docker = dockerOf(context, observed.world.nodes, claim.node, connect);
  if (docker === undefined) throw new StepWaits(`Docker on server ${claim.server} does not answer`);
  await writeLabels(context, Name, Labels, writing);
  const path = '/volumes/create';
  await callDocker(docker, { method: 'POST', path, body: { Name, Labels }, signal });
}

/** A config that says something in its labels, in place of the one before. */
async function writeLabels(
  context: SwarmContext,
  Name: string,
  Labels: Record<string, string>,
  { observed, signal }: Writing,
): Promise<void> {
  const body = { Name, Labels, Data: RECORD_CONTENT };
  const before = observed.records.get(Name);
  if (before === undefined) {
    const path = '/configs/create';
    const { ID } = await callDocker<{ ID: string }>(context.docker, {
      method: 'POST',
      path,
      body,
      signal,
    });
    observed.records.set(Name, { id: ID, version: 0 });
    return;
  }
  const path = `/configs/${before.id}/update`;
  const query = { version: before.version };
  await callDocker(context.docker, { method: 'POST', path, query, body, signal });
}

async function endTasks(
  context: SwarmContext,
  { id, version }: Extract<SwarmStep, { kind: 'endTasks' }>,
  signal: AbortSignal,
): Promise<void> {
  const path = `/services/${id}`;
  const { Spec } = await callDocker<{ Spec: object }>(context.docker, {
    method: 'GET',
    path,
    signal,
  });
  await callDocker(context.docker, {
    method: 'POST',
    path: `${path}/update`,
    query: { version },
    body: { ...Spec, Mode: { Replicated: { Replicas: 0 } } },
    signal,
  });
}

async function createFile(
  context: SwarmContext,
  { file, owner }: { file: SwarmFile; owner: string },
  { observed, signal }: Writing,
): Promise<void> {
  const isEmpty = file.content === '';
  const { ID } = await callDocker<{ ID: string }>(context.docker, {
    method: 'POST',
    path: `/${file.kind}s/create`,
    body: {
      Name: file.name,
      Labels: { ...marksOf(context, 'file'), [MARK.owner]: owner },
      Data: isEmpty ? EMPTY_TEMPLATE : file.content,
      ...(isEmpty ? { Templating: { Name: 'golang' } } : {}),
    },
    signal,
  });
  observed.fileIds.set(file.name, ID);
}

async function writeService(
  context: SwarmContext,
  path: string,
  query: Record<string, number>,
  { spec, logins }: Pick<Extract<SwarmStep, { kind: 'createService' }>, 'spec' | 'logins'>,
  { observed, readCredentials, signal }: Writing,
): Promise<void> {
  const image = spec.TaskTemplate.ContainerSpec.Image;
  const auth = await chooseLogin(context.docker, image, logins, readCredentials, signal);
  await callDocker(context.docker, {
    method: 'POST',
    path,
    query,
    body: withIds(spec, observed.fileIds),
    ...(auth === undefined ? {} : { auth }),
    signal,
  });
}

function withIds(spec: ServiceSpec, ids: ReadonlyMap<string, string>): object {
  const container = spec.TaskTemplate.ContainerSpec;
  function idOf(name: string): string {
    const id = ids.get(name);
    if (id === undefined)
      throw new UserError('unavailable', `the file ${name} is not in the swarm yet`, {
        transient: true,
      });
    return id;
  }
  return {
    ...spec,
    TaskTemplate: {
      ...spec.TaskTemplate,
      ContainerSpec: {
        ...container,
        Configs: container.Configs.map((each) => ({ ...each, ConfigID: idOf(each.ConfigName) })),
        Secrets: container.Secrets.map((each) => ({ ...each, SecretID: idOf(each.SecretName) })),
      },
    },
  };
}

function pathOf({ kind, id }: LiveFile): string {
  return `/${kind}s/${id}`;
}

async function remove(context: SwarmContext, path: string, signal: AbortSignal): Promise<void> {
  try {
    await callDocker(context.docker, { method: 'DELETE', path, signal });
  } catch (error) {
    if (!isStatus(error, 404)) throw error;
  }
}
