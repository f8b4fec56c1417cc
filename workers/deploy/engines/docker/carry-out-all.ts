import { DockerError } from '#adapters/docker/call.ts';
import type { HostPort } from '#core/docker/node-ports.ts';
import type { Step } from '#core/docker/world.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import type { Resource, ResourceKey } from '#core/resources/resource.ts';
import { carryOut } from './carry-out.ts';
import type { StepContext } from './carry-out.ts';
import { mapAtOnce } from './inspections.ts';
import { StepWaits } from './step-waits.ts';

const AT_ONCE = 4;
const NO_SPACE = /no space left on device/i;
const PODS = new Set<Step['kind']>(['createPod', 'repairPod', 'writeVolume']);
const PROXIES = new Set<Step['kind']>(['configureProxy', 'configureEdge', 'configureRecords']);

/** Something an operator has to put right before a step can be done. It holds up its owner, and nobody else. */
export interface StepFailure {
  owner: OwnerKey;
  message: string;
}

export interface CarriedOut {
  changed: boolean;
  failures: StepFailure[];
}

/**
 * Carries the steps out in order, those of pods side by side, and those of the proxies, of which those of UDP come
 * last: the others give the Services their addresses. What is decided of traffic
 * holds whatever becomes of pods that have none yet: so neither waits for the other.
 */
export async function carryOutAll(
  steps: readonly Step[],
  context: StepContext,
): Promise<CarriedOut> {
  const { before, pods, traffic, after } = inLanes(steps);
  const first = await inOrder(before, context);
  const lanes = await Promise.allSettled([inOrder(pods, context), inOrder(traffic, context)]);
  const failed = lanes.find((lane) => lane.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const carried = lanes.flatMap((lane) => (lane.status === 'fulfilled' ? [lane.value] : []));
  const last = await inOrder(after, context);
  return all([first, ...carried, last]);
}

/** Owners with what holds them up. */
export function withFailures(
  owners: readonly OwnerStatus[],
  failures: readonly StepFailure[],
): OwnerStatus[] {
  return owners.map((status) => {
    const failure = failures.find(({ owner }) => owner === status.owner)?.message;
    return failure === undefined ? status : { ...status, serving: false, failure };
  });
}

/** Owners with what they wait for: nothing is wrong, but it does not serve yet. */
export function withWaits(
  owners: readonly OwnerStatus[],
  waits: readonly (StepFailure & { key: ResourceKey })[],
): OwnerStatus[] {
  return owners.map((status) => {
    const own = waits.filter(({ owner }) => owner === status.owner);
    if (own.length === 0) return status;
    const resources = status.resources.map((resource) => {
      const wait = own.find(({ key }) => key === resource.key);
      if (wait === undefined) return resource;
      return { ...resource, health: { status: 'Progressing' as const, reason: wait.message } };
    });
    return { ...status, serving: false, resources };
  });
}

/** The Services and Ingresses on one of the host's ports. */
export function usersOfPort(
  desired: readonly DesiredState[],
  port: HostPort,
  ingressPorts: readonly number[],
): { owner: OwnerKey; resource: Resource }[] {
  return desired.flatMap(({ owner, resources }) =>
    resources
      .filter(
        (resource) =>
          (resource.kind === 'Service' && hasPort(resource, port)) ||
          (resource.kind === 'Ingress' &&
            port.protocol === 'TCP' &&
            ingressPorts.includes(port.port)),
      )
      .map((resource) => ({ owner, resource })),
  );
}

interface Attempt {
  changed: boolean;
  failures?: StepFailure[];
  error?: unknown;
}

/** A step that fails must not cut off those beside it. */
async function attempt(step: Step, context: StepContext): Promise<Attempt> {
  try {
    return { changed: await carryOut(step, context) };
  } catch (error) {
    if (error instanceof StepWaits) return { changed: false };
    const isOperators = isForOperator(error) && !context.signal.aborted;
    const owners = ownersHeldUp(step);
    if (!isOperators || owners === undefined) return { changed: false, error };
    const { cluster, log } = context.state.context;
    if (owners.length === 0)
      log.warn({ cluster, step: step.kind, err: error }, 'step could not be done');
    const hint = error instanceof UserError && error.hint !== undefined ? ` (${error.hint})` : '';
    const message = `${messageOf(error)}${hint}`;
    return { changed: false, failures: owners.map((owner) => ({ owner, message })) };
  }
}

/** Whom alone it holds up where it fails; absent: everybody. */
function ownersHeldUp(step: Step): OwnerKey[] | undefined {
  if (step.kind === 'createPod' || step.kind === 'repairPod') return [step.pod.owner];
  if (step.kind === 'createClaim') return [step.owner];
  return 'owners' in step ? step.owners : undefined;
}

function isForOperator(error: unknown): boolean {
  if (error instanceof UserError) return !error.transient;
  return error instanceof DockerError && NO_SPACE.test(error.message);
}

interface Lanes {
  before: Step[][];
  pods: Step[][];
  traffic: Step[][];
  after: Step[][];
}

/** Each of batches, whose steps stand beside each other. */
function inLanes(steps: readonly Step[]): Lanes {
  const pods = steps.filter(({ kind }) => PODS.has(kind));
  const proxies = steps.filter(({ kind }) => PROXIES.has(kind));
  const udp = steps.filter(({ kind }) => kind === 'configureUdp');
  const deletions = steps.filter(({ kind }) => kind === 'deletePod');
  const forgetting = steps.filter(({ kind }) => kind === 'forget' || kind === 'deleteClaim');
  const known = new Set([...pods, ...proxies, ...udp, ...deletions, ...forgetting]);
  return {
    before: steps.filter((step) => !known.has(step)).map((step) => [step]),
    pods: [pods],
    traffic: [proxies, udp, ...deletions.map((step) => [step])],
    after: forgetting.map((step) => [step]),
  };
}

async function inOrder(batches: readonly Step[][], context: StepContext): Promise<CarriedOut> {
  const done: CarriedOut[] = [];
  for (const together of batches) {
    context.signal.throwIfAborted();
    const results = await mapAtOnce(AT_ONCE, together, (step) => attempt(step, context));
    const failed = results.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw failed.error;
    done.push({
      changed: results.some(({ changed }) => changed),
      failures: results.flatMap(({ failures }) => failures ?? []),
    });
  }
  return all(done);
}

function all(parts: readonly CarriedOut[]): CarriedOut {
  return {
    changed: parts.some(({ changed }) => changed),
    failures: parts.flatMap(({ failures }) => failures),
  };
}

function hasPort(service: { [field: string]: unknown }, { port, protocol }: HostPort): boolean {
  const spec = service['spec'] as
    | { type?: string; ports?: { port: number; nodePort?: number; protocol?: string }[] }
    | undefined;
  const isBalancer = spec?.type === 'LoadBalancer';
  return (
    spec?.ports
      ?.filter((each) => (each.protocol ?? 'TCP') === protocol)
      .some((each) => each.nodePort === port || (isBalancer && each.port === port)) ?? false
  );
}
