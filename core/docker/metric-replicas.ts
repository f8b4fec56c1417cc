import type { Metric, Rules } from '#core/docker/kinds-autoscaler.ts';

/** Cores and bytes; cpu over an interval, which one measurement alone does not tell. */
export interface Usage {
  cpu?: number;
  memory: number;
}

/** A pod of the target that is neither leaving nor evicted. */
export interface SampledPod {
  /** Its containers were not all started yet. */
  pending: boolean;
  /** Its cpu says nothing yet: it is starting, or was never ready. */
  starting: boolean;
  /** By container; one that was not measured is absent. */
  usage: Readonly<Record<string, Usage>>;
}

/** A container of the target's template, with what it requests. */
export interface Requesting {
  name: string;
  cpu?: number;
  memory?: number;
}

interface Tolerances {
  scaleUp: Pick<Rules, 'tolerance'>;
  scaleDown: Pick<Rules, 'tolerance'>;
}

/** What a metric asks for, or why that cannot be told. */
export type Proposal = { replicas: number; told: string } | { problem: string };

/**
 * How many replicas a metric asks for, by the algorithm of Kubernetes' documentation: pods that were not measured use
 * all that they may where that would scale down, and nothing where it would scale up, and so do pods that are starting.
 */
export function proposeReplicas(
  metric: Metric,
  current: number,
  pods: readonly SampledPod[],
  containers: readonly Requesting[],
  tolerances: Tolerances,
): Proposal {
  const asked = askOf(metric, containers);
  if ('problem' in asked) return asked;
  const { resource, names, target, request, ratioOf, text } = asked;
  const waiting = pods.filter((pod) => pod.pending);
  const running = pods.filter((pod) => !pod.pending);
  const values = running.map((pod) => ({ pod, value: valueOf(pod, resource, names) }));
  function isStarting({ pod }: { pod: SampledPod }): boolean {
    return resource === 'cpu' && pod.starting;
  }
  const known = values.flatMap(({ value }) => value ?? []);
  const counted = values.filter((each) => !isStarting(each)).flatMap(({ value }) => value ?? []);
  const missing = values.filter(({ value }) => value === undefined).length;
  const unready = waiting.length + known.length - counted.length;
  if (counted.length === 0) return { problem: `no ${resource} of its pods was measured yet` };
  const ratio = ratioOf(average(counted));
  const told = text(average(counted));
  function within(by: number): boolean {
    return by >= 1 - tolerances.scaleDown.tolerance && by <= 1 + tolerances.scaleUp.tolerance;
  }
  const scalesUp = ratio > 1;
  if (missing === 0 && (unready === 0 || !scalesUp))
    return { replicas: within(ratio) ? current : Math.ceil(round(ratio * counted.length)), told };
  const assumed = [
    ...Array.from({ length: missing }, () => (scalesUp ? 0 : Math.max(request ?? 0, target))),
    ...Array.from({ length: scalesUp ? unready : 0 }, () => 0),
  ];
  const all = [...counted, ...(ratio === 1 ? [] : assumed)];
  const after = ratioOf(average(all));
  const replicas = Math.ceil(round(after * all.length));
  const turns = (scalesUp && after < 1) || (ratio < 1 && after > 1);
  const against = (after < 1 && replicas > current) || (after > 1 && replicas < current);
  return { replicas: within(after) || turns || against ? current : replicas, told };
}

interface Asked {
  resource: 'cpu' | 'memory';
  names: readonly string[];
  /** Of a pod, in cores or bytes. */
  target: number;
  /** What a pod requests, where the target is a part of that. */
  request?: number;
  /** Of what a pod uses to the target. */
  ratioOf: (value: number) => number;
  text: (value: number) => string;
}

function askOf(metric: Metric, containers: readonly Requesting[]): Asked | { problem: string } {
  const { resource, containerResource } = metric;
  const source = resource ?? containerResource;
  if (source === undefined) return { problem: `a metric of type ${metric.type} has nothing` };
  const { name, target } = source;
  const only = containerResource?.container;
  const own = containers.filter((each) => only === undefined || each.name === only);
  if (own.length === 0) return { problem: `its pods have no container ${only}` };
  const what = only === undefined ? name : `${name} of ${only}`;
  const names = own.map((each) => each.name);
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined) {
    const value = averageValue ?? 0;
    const most = amountText(name, value);
    return {
      resource: name,
      names,
      target: value,
      ratioOf: (used) => used / value,
      text: (used) => `${what} ${amountText(name, used)} of ${most}`,
    };
  }
  const unsaid = own.find((each) => each[name] === undefined);
  if (unsaid !== undefined) return { problem: `container ${unsaid.name} requests no ${name}` };
  const request = own.reduce((sum, each) => sum + (each[name] ?? 0), 0);
  if (request === 0) return { problem: `its containers request no ${name}` };
  // In whole percents, as Kubernetes compares them.
  function percent(used: number): number {
    return Math.floor(round((used / request) * 100));
  }
  return {
    resource: name,
    names,
    target: (request * averageUtilization) / 100,
    request,
    ratioOf: (used) => percent(used) / averageUtilization,
    text: (used) => `${what} ${percent(used)} % of ${averageUtilization} %`,
  };
}

/** Absent where one of the containers was not measured. */
function valueOf(
  { usage }: SampledPod,
  resource: 'cpu' | 'memory',
  names: readonly string[],
): number | undefined {
  const values = names.flatMap((name) => usage[name]?.[resource] ?? []);
  return values.length === names.length ? values.reduce((sum, each) => sum + each, 0) : undefined;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

/** 0.3 / 0.1 is 3. */
function round(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}

function amountText(resource: 'cpu' | 'memory', value: number): string {
  return resource === 'cpu' ? `${Math.round(value * 1_000)}m` : `${Math.round(value / 2 ** 20)}Mi`;
}
