import { networkInterfaces } from 'node:os';
import type { KubeClient } from '#adapters/kubernetes/client.ts';
import { listObjects } from '#adapters/kubernetes/objects.ts';
import { conditionsOf, fieldsOf, listAt, textAt } from '#core/kubernetes/status-fields.ts';

const NODES = {
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
  verbs: [],
};

export interface ReadyNode {
  name: string;
  /** Where its nodePorts answer. */
  address: string;
  /** It is the machine that asks: what listens there on 127.0.0.1 its containers' engine reaches. */
  isHere: boolean;
}

/** A node that takes pods, if there is one. */
export async function readyNode(client: KubeClient): Promise<ReadyNode | undefined> {
  const nodes = await listObjects(client, NODES, {}, AbortSignal.timeout(60_000));
  const [ready] = nodes.filter((node) => {
    const isReady = conditionsOf(fieldsOf(node['status'])).some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    );
    return isReady && fieldsOf(node['spec'])['unschedulable'] !== true;
  });
  if (ready === undefined) return undefined;
  const addresses = listAt(fieldsOf(ready['status']), 'addresses');
  const found = addresses.find((each) => textAt(each, 'type') === 'InternalIP');
  const address = found === undefined ? '' : textAt(found, 'address');
  const here = Object.values(networkInterfaces()).flatMap((each = []) =>
    each.map((one) => one.address),
  );
  return { name: ready.metadata.name, address, isHere: here.includes(address) };
}
