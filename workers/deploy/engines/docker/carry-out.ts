import type { Step } from '#core/docker/world.ts';
import { ensureClaim, removeClaim } from './claims.ts';
import type { EngineState } from './engine-state.ts';
import { podKey } from './names.ts';
import type { ClusterNetwork } from './network.ts';
import { ensurePod, writeVolume } from './pods.ts';
import { forgetRecord, writeRecord } from './records.ts';
import type { StoredRecord } from './records.ts';

/** What the steps of one decision are carried out with. */
export interface StepContext {
  state: EngineState;
  network: ClusterNetwork;
  stored: readonly StoredRecord[];
  signal: AbortSignal;
}

type Handlers = {
  readonly [Kind in Step['kind']]: (
    step: Extract<Step, { kind: Kind }>,
    context: StepContext,
  ) => Promise<boolean>;
};

/** Each answers whether it changed anything; false where it has to wait. */
const handlers: Handlers = {
  record: async (step, { state, stored, signal }) => {
    await writeRecord(state.context, step, stored, signal);
    return true;
  },
  forget: async ({ key }, { state, stored, signal }) => {
    await forgetRecord(state.context, key, stored, signal);
    return true;
  },
  createClaim: async (claim, { state, signal }) => {
    await ensureClaim(state.context, claim, signal);
    return true;
  },
  deleteClaim: (claim, { state, signal }) => removeClaim(state.context, claim, signal),
  createPod: (step, { state, network, signal }) => ensurePod(state, network, step, signal),
  repairPod: (step, { state, network, signal }) => {
    const { pod, why } = step;
    state.context.log.info({ cluster: state.context.cluster, pod: pod.name, why }, 'pod repaired');
    return ensurePod(state, network, step, signal);
  },
  writeVolume: async ({ pod, namespace, volume, files, hash }, { state, signal }) => {
    await writeVolume(state, { name: pod, namespace }, { name: volume, files, hash }, signal);
    return true;
  },
  restartContainer: ({ pod, container, id, graceSeconds, why }, { state }) => {
    const begun = state.restarts.begin({ id, graceSeconds, why });
    if (begun)
      state.context.log.info(
        { cluster: state.context.cluster, pod, container, why },
        'container restarted',
      );
    return Promise.resolve(begun);
  },
  endPod: ({ pod, namespace, containers, graceSeconds, why }, { state }) => {
    const begun = state.finishes.begin(podKey({ name: pod, namespace }), {
      containers,
      graceSeconds,
    });
    if (begun)
      state.context.log.info({ cluster: state.context.cluster, pod, why }, 'pod came to its end');
    return Promise.resolve(begun);
  },
  deletePod: async ({ name, namespace, graceSeconds }, { state, signal }) => {
    await state.terminations.mark({ name, namespace }, graceSeconds, signal);
    return true;
  },
  configureProxy: async ({ config }, { state, network, signal }) => {
    await state.system.configureProxy(network, config, signal);
    return true;
  },
  configureDns: async ({ config }, { state, network, signal }) => {
    await state.system.configureDns(network, config, signal);
    return true;
  },
  configureRecords: async ({ config }, { state, network, signal }) => {
    await state.system.configureRecords(network, config, signal);
    return true;
  },
  configureUdp: async ({ role, config }, { state, network, signal }) => {
    await state.system.configureUdp(network, role, config, signal);
    return true;
  },
  configureEdge: async ({ config }, { state, network, signal }) => {
    await state.system.configureEdge(network, config, signal);
    return true;
  },
  orderCertificate: ({ order }, { state }) => Promise.resolve(state.certificateOrders.begin(order)),
};

/** Carries one step out; done twice it is done once. */
export async function carryOut<Kind extends Step['kind']>(
  step: Extract<Step, { kind: Kind }>,
  context: StepContext,
): Promise<boolean> {
  const handler = handlers[step.kind as Kind];
  return handler(step, context);
}
