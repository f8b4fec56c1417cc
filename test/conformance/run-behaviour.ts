import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { ContainerStatus, OwnerStatus, PodStatus } from '#core/engine.ts';
import { formatProblem, messageOf } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { ConformanceCluster, ContainerPlace } from './cluster.ts';
import { Expectations } from './expect.ts';
import type { Step } from './expect.ts';

const LOOK_AGAIN_MS = 150;
/** To start a command in a container takes more of the machine than all else that goes on there. */
const RUN_AGAIN_MS = 600;
/** In manifests, in place of its address. */
const PRIVATE_REGISTRY = 'registry.example.com';
const CLUSTER_SCOPED = ['Namespace', 'IngressClass', 'StorageClass'];

type Check = (behaviour: Behaviour) => Promise<string | undefined> | string | undefined;

interface Behaviour {
  /** Also its namespace and owner. */
  name: string;
  cluster: ConformanceCluster;
}

/** Applies the folder's manifests and goes through the steps. Answers what did not come true: the first such step. */
export async function runBehaviour(folder: string, behaviour: Behaviour): Promise<string[]> {
  const { name, cluster } = behaviour;
  const { steps } = await readExpectations(folder);
  cluster.apply(name, await readManifests(folder, 'manifests.yaml', behaviour));
  for (const [index, step] of steps.entries()) {
    if ('apply' in step) cluster.apply(name, await readManifests(folder, step.apply, behaviour));
    else if ('push' in step) await cluster.push(step.push);
    else {
      const wrong = await waitFor(step, behaviour);
      if (wrong !== undefined) return [`step ${index + 1}, ${JSON.stringify(step)}: ${wrong}`];
    }
  }
  return [];
}

export async function readExpectations(folder: string): Promise<Expectations> {
  return Expectations.parse(parse(await readFile(join(folder, 'expect.yaml'), 'utf8')));
}

async function readManifests(
  folder: string,
  file: string,
  { name: namespace, cluster }: Behaviour,
): Promise<Resource[]> {
  const written = await readFile(join(folder, file), 'utf8');
  const text = written.includes(PRIVATE_REGISTRY)
    ? written.replaceAll(PRIVATE_REGISTRY, await cluster.privateRegistry())
    : written;
  const parsed = parseManifests([{ path: file, text }]);
  const inNamespace = parsed.resources.map((resource) =>
    CLUSTER_SCOPED.includes(resource.kind)
      ? resource
      : { ...resource, metadata: { ...resource.metadata, namespace } },
  );
  const problems = [...parsed.problems, ...cluster.accept(parsed)];
  if (problems.length > 0) throw new Error(problems.map(formatProblem).join('\n'));
  return inNamespace;
}

/** Answers what is not as it should be. */
async function waitFor(
  step: Exclude<Step, { apply: string } | { push: string }>,
  behaviour: Behaviour,
): Promise<string | undefined> {
  const check = checkOf(step);
  const pauseMs = 'run' in step ? RUN_AGAIN_MS : LOOK_AGAIN_MS;
  const isLastTry = within(step.within);
  for (;;) {
    const isLate = isLastTry();
    const wrong = await attempt(check, behaviour);
    if (wrong === undefined) break;
    if (isLate) return `after ${step.within} s: ${wrong}`;
    await sleep(pauseMs);
  }
  const isOver = within(step.for);
  while (!isOver()) {
    await sleep(pauseMs);
    const wrong = await attempt(check, behaviour);
    if (wrong !== undefined) return `it did not stay so: ${wrong}`;
  }
  return undefined;
}

function within(seconds: number): () => boolean {
  const end = Date.now() + seconds * 1_000;
  return () => Date.now() >= end;
}

async function attempt(check: Check, behaviour: Behaviour): Promise<string | undefined> {
  try {
    return await check(behaviour);
  } catch (error) {
    return messageOf(error);
  }
}

function checkOf(step: Exclude<Step, { apply: string } | { push: string }>): Check {
  if ('serves' in step) return (behaviour) => of(behaviour, serves);
  if ('fails' in step)
    return (behaviour) =>
      of(behaviour, ({ failure }) => compare('failure', step.fails, failure ?? ''));
  if ('container' in step)
    return (behaviour) => of(behaviour, containersAre(step, behaviour.cluster));
  if ('summary' in step) return (behaviour) => of(behaviour, summaryIs(step, behaviour.cluster));
  if ('pods' in step) return (behaviour) => of(behaviour, podsAre(step));
  if ('run' in step) return (behaviour) => runs(behaviour, step);
  if ('logs' in step) {
    return async ({ name, cluster }) =>
      compare('logs', step.contain, await cluster.logs(placeOf(name, step.logs)));
  }
  if ('ingress' in step) return ({ cluster }) => ingressAnswers(cluster, step);
  if ('loadBalancer' in step) return ({ cluster }) => balances(cluster, step);
  if ('sends' in step) {
    const datagram = Buffer.from(step.sends.replaceAll(' ', ''), 'hex');
    return async ({ name, cluster }) =>
      compare('answer', step.answers, await cluster.askUdp(name, step.nodePort, datagram));
  }
  return async ({ name, cluster }) =>
    compare('answer', step.answers, (await cluster.ask(name, step.nodePort, step.path)).trim());
}

function of(
  { name, cluster }: Behaviour,
  look: (status: OwnerStatus) => string | undefined,
): string | undefined {
  const status = cluster.status(name);
  return status === undefined ? 'no pass yet' : look(status);
}

function serves(status: OwnerStatus): string | undefined {
  if (status.serving) return undefined;
  const unhealthy = status.resources.filter(({ health }) => health.status !== 'Healthy');
  const why = unhealthy.map(({ key, health }) => `${key} is ${health.status}: ${health.reason}`);
  const plan = status.plan.map(({ action, key, reason = '' }) => `${action} ${key} ${reason}`);
  return [status.failure ?? '', ...why, ...plan].join('; ');
}

function containersAre(
  step: Extract<Step, { container: string }>,
  { explains }: ConformanceCluster,
) {
  return (status: OwnerStatus): string | undefined => {
    const { workload, container } = placeOf('', step.container);
    const found = podsOf(status, workload).flatMap((pod) =>
      pod.containers.filter((each) => each.name === container),
    );
    if (found.length === 0) return 'it is not there';
    return found
      .map((each) => containerDiffers(each, step.becomes, explains))
      .find((wrong) => wrong !== undefined);
  };
}

function containerDiffers(
  container: ContainerStatus,
  expected: Extract<Step, { container: string }>['becomes'],
  explains: boolean,
): string | undefined {
  const wrong = [
    same('state', expected.state, container.state),
    same('ready', expected.ready, container.ready),
    count('restarts', expected.restarts, container.restarts),
    same('exitCode', expected.exitCode, container.exitCode),
    compare('reason', expected.reason, container.reason ?? ''),
    compare('message', expected.message, container.message ?? ''),
    compare('message', explains ? expected.told : undefined, container.message ?? ''),
    compare('last.reason', expected.last?.reason, container.last?.reason ?? ''),
    compare('last.message', expected.last?.message, container.last?.message ?? ''),
    compare(
      'last.message',
      explains ? expected.last?.told : undefined,
      container.last?.message ?? '',
    ),
    same('last.exitCode', expected.last?.exitCode, container.last?.exitCode),
  ].filter((each) => each !== undefined);
  return wrong.length === 0 ? undefined : `${wrong.join(', ')} of ${JSON.stringify(container)}`;
}

function summaryIs(
  { summary, says, told }: Extract<Step, { summary: string }>,
  { explains }: ConformanceCluster,
) {
  const workload = workloadOf(summary);
  return (status: OwnerStatus): string | undefined => {
    const found = status.resources.find(({ key }) => key.replace(/\/[^/]*\//, '/') === workload);
    const text = found?.summary ?? '';
    return compare('summary', says, text) ?? compare('summary', explains ? told : undefined, text);
  };
}

function podsAre({ pods: name, become }: Extract<Step, { pods: string }>) {
  return (status: OwnerStatus): string | undefined => {
    const pods = podsOf(status, workloadOf(name));
    return (
      count('pods', become.count, pods.length) ??
      count('ready pods', become.ready, pods.filter(({ ready }) => ready).length) ??
      pods
        .map(
          ({ phase, reason = '' }) =>
            same('phase', become.phase, phase) ?? compare('reason', become.reason, reason),
        )
        .find((wrong) => wrong !== undefined)
    );
  };
}

async function runs(
  { name, cluster }: Behaviour,
  step: Extract<Step, { run: string[] }>,
): Promise<string | undefined> {
  const { exitCode, output } = await cluster.run(placeOf(name, step.in), step.run);
  const wrong =
    same('exit code', step.exits, exitCode) ?? compare('output', step.prints, output.trim());
  return wrong === undefined ? undefined : `${wrong}; it printed ${output.trim()}`;
}

async function ingressAnswers(
  cluster: ConformanceCluster,
  step: Extract<Step, { ingress: string }>,
): Promise<string | undefined> {
  const { ingress: url, method, headers, bytes, version, answers } = step;
  const begins = answers === false ? undefined : answers.begins;
  const enough = begins === undefined ? {} : { enough: begins.length };
  const asked = cluster.askIngress({ url, method, headers, bytes, version, ...enough });
  if (answers === false) {
    const answer = await asked.catch(() => undefined);
    return answer === undefined ? undefined : `it answers ${answer.status}`;
  }
  const { status, headers: had, body } = await asked;
  const wrong = [
    same('status', answers.status, status),
    compare('body', answers.body, body.trim()),
    same('beginning', begins, begins === undefined ? undefined : body.slice(0, begins.length)),
    ...Object.entries(answers.headers).map(([name, value]) =>
      compare(name, value, had[name] ?? ''),
    ),
  ];
  return wrong.find((each) => each !== undefined);
}

async function balances(
  cluster: ConformanceCluster,
  step: Extract<Step, { loadBalancer: string }>,
): Promise<string | undefined> {
  const asked = cluster.askBalancer({ port: step.port }, step.path);
  if (step.answers !== false) return compare('answer', step.answers, (await asked).trim());
  const answer = await asked.catch(() => undefined);
  return answer === undefined ? undefined : `it answers ${answer}`;
}

/** Of pods by the workload's key without its namespace: each folder has one of its own. */
function podsOf(status: OwnerStatus, workload: string): PodStatus[] {
  const [kind, name] = workload.split('/');
  return status.resources
    .filter(({ key }) => key.startsWith(`${kind}/`) && key.endsWith(`/${name}`))
    .flatMap(({ pods }) => pods ?? []);
}

/** `web`, `Deployment/web` */
function workloadOf(name: string): string {
  return name.includes('/') ? name : `Deployment/${name}`;
}

/** `web`, `log in Deployment/web` */
function placeOf(namespace: string, text: string): ContainerPlace {
  const [container = '', workload = container] = text.split(' in ');
  return { namespace, workload: workloadOf(workload), container };
}

function compare(what: string, expected: string | undefined, found: string): string | undefined {
  if (expected === undefined) return undefined;
  const pattern = /^\/(.*)\/$/s.exec(expected)?.[1];
  const isSo = pattern === undefined ? found === expected : new RegExp(pattern, 's').test(found);
  return isSo ? undefined : `${what} is ${JSON.stringify(found)}, not ${expected}`;
}

function same<T>(what: string, expected: T | undefined, found: T | undefined): string | undefined {
  return expected === undefined || expected === found
    ? undefined
    : `${what} is ${String(found)}, not ${String(expected)}`;
}

function count(
  what: string,
  expected: number | { least: number } | undefined,
  found: number,
): string | undefined {
  if (expected === undefined) return undefined;
  const isSo = typeof expected === 'number' ? found === expected : found >= expected.least;
  return isSo ? undefined : `${what}: ${found}, not ${JSON.stringify(expected)}`;
}
