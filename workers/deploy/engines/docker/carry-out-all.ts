import type { Step } from '#core/docker/world.ts';
import type { DesiredState, OwnerStatus } from '#core/engine.ts';
import { UserError } from '#core/errors.ts';
import type { OwnerKey } from '#core/owner.ts';
import { carryOut } from './carry-out.ts';
import type { StepContext } from './carry-out.ts';
import { mapAtOnce } from './inspections.ts';

const PODS_AT_ONCE = 4;
/** Steps of one such kind stand beside each other; every other one waits for those before it. */
const BESIDE: readonly ReadonlySet<Step['kind']>[] = [
  new Set<Step['kind']>(['createPod', 'repairPod', 'writeVolume']),
  new Set<Step['kind']>(['configureProxy', 'configureEdge']),
];

/** Something an operator has to put right before a step can be done. It holds up its owner, and nobody else. */
export interface StepFailure {
  owner: OwnerKey;
  message: string;
}

export interface CarriedOut {
  changed: boolean;
  failures: StepFailure[];
}

/** Carries the steps out in order, those of pods side by side, and those of the two proxies. */
export async function carryOutAll(
  steps: readonly Step[],
  context: StepContext,
): Promise<CarriedOut> {
  const all: CarriedOut = { changed: false, failures: [] };
  for (const together of inBatches(steps)) {
    context.signal.throwIfAborted();
    const results = await mapAtOnce(PODS_AT_ONCE, together, (step) => attempt(step, context));
    const failed = results.find(({ error }) => error !== undefined);
    if (failed !== undefined) throw failed.error;
    all.changed ||= results.some(({ changed }) => changed);
    all.failures.push(...results.flatMap(({ failure }) => failure ?? []));
  }
  return all;
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

/** Of the owners, those with a Service on one of the host's ports. */
export function ownersOfPort(desired: readonly DesiredState[], port: number): OwnerKey[] {
  return desired
    .filter(({ resources }) =>
      resources.some((resource) => resource.kind === 'Service' && hasNodePort(resource, port)),
    )
    .map(({ owner }) => owner);
}

interface Attempt {
  changed: boolean;
  failure?: StepFailure;
  error?: unknown;
}

/** A step that fails must not cut off those beside it. */
async function attempt(step: Step, context: StepContext): Promise<Attempt> {
  try {
    return { changed: await carryOut(step, context) };
  } catch (error) {
    const isOperators = error instanceof UserError && !error.transient && !context.signal.aborted;
    if (!isOperators || (step.kind !== 'createPod' && step.kind !== 'repairPod'))
      return { changed: false, error };
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return {
      changed: false,
      failure: { owner: step.pod.owner, message: `${error.message}${hint}` },
    };
  }
}

function inBatches(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = [];
  for (const step of steps) {
    const beside = BESIDE.find((kinds) => kinds.has(step.kind));
    const last = batches.at(-1);
    const [before] = last ?? [];
    if (last !== undefined && before !== undefined && beside?.has(before.kind) === true)
      last.push(step);
    else batches.push([step]);
  }
  return batches;
}

function hasNodePort(service: { [field: string]: unknown }, port: number): boolean {
  const spec = service['spec'] as { ports?: { nodePort?: number }[] } | undefined;
  return spec?.ports?.some(({ nodePort }) => nodePort === port) ?? false;
}
