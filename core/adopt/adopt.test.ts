import { expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { acceptResources } from '#core/docker/accepts.ts';
import { parseManifests } from '#core/resources/parse.ts';
import { adopt } from './adopt.ts';
import type { Adopted } from './adopt.ts';
import type { RunningContainer } from './running-container.ts';

const PLAIN: RunningContainer = {
  id: 'a'.repeat(64),
  name: 'web',
  state: 'running',
  image: 'nginx:1.22',
  isPublished: true,
  environment: {},
  tty: false,
  stdin: false,
  ports: [],
  mounts: [],
  restart: 'always',
  privileged: false,
  readOnlyRoot: false,
  addedCapabilities: [],
  droppedCapabilities: [],
  securityOptions: [],
  groups: [],
  sysctls: {},
  network: 'bridge',
  hasHostPid: false,
  hasHostIpc: false,
  hasInit: false,
  extraHosts: [],
  dns: { servers: [], searches: [], options: [] },
  labels: {},
  others: [],
};

function adoptOne(more: Partial<RunningContainer>): Adopted {
  const [adopted, ...others] = adopt([{ ...PLAIN, ...more }], { folder: 'deploy' });
  if (adopted === undefined || others.length > 0) throw new Error('one was to be adopted');
  return adopted;
}

interface Written {
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown> & {
    template?: { spec: Record<string, unknown> & { containers: Record<string, unknown>[] } };
  };
  stringData?: Record<string, string>;
}

function documents({ file }: Adopted): Written[] {
  return parseAllDocuments(file.text).map((each) => each.toJS() as Written);
}

function deployment(adopted: Adopted): Written {
  const found = documents(adopted).find(({ kind }) => kind === 'Deployment');
  if (found === undefined) throw new Error('there is no Deployment');
  return found;
}

function podOf(more: Partial<RunningContainer>): Record<string, unknown> {
  return deployment(adoptOne(more)).spec.template?.spec ?? {};
}

function containerOf(more: Partial<RunningContainer>): Record<string, unknown> {
  return deployment(adoptOne(more)).spec.template?.spec.containers[0] ?? {};
}

/** Everything that can be said of a container and carried over. */
const FULL: Partial<RunningContainer> = {
  entrypoint: ['/entry'],
  command: ['serve', '--price', '$(CAT) for $$1'],
  environment: { MODE: 'production', PRICE: '$5', DB_PASSWORD: 'swordfish' },
  workingDir: '/srv',
  user: '1000:1001',
  hostname: 'front',
  tty: true,
  stdin: true,
  ports: [
    { container: 80, protocol: 'TCP', host: 8080 },
    { container: 53, protocol: 'UDP', host: 5353 },
    { container: 9000, protocol: 'TCP' },
  ],
  mounts: [
    { kind: 'bind', source: '/etc/app', target: '/etc/app', readOnly: true },
    { kind: 'tmpfs', source: '', target: '/scratch', readOnly: false, bytes: 1_048_576 },
  ],
  memoryBytes: 67_108_864,
  milliCpus: 500,
  sharedMemoryBytes: 134_217_728,
  readOnlyRoot: true,
  addedCapabilities: ['NET_ADMIN'],
  droppedCapabilities: ['ALL'],
  securityOptions: ['no-new-privileges', 'seccomp=unconfined'],
  groups: [44],
  sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
  extraHosts: ['db:10.0.0.5', 'cache:10.0.0.5'],
  dns: { servers: ['10.0.0.1'], searches: ['shop'], options: ['ndots:2'] },
  healthCheck: { command: ['/check'], period: 5, timeout: 2, retries: 4, startPeriod: 7 },
  stopSignal: 'SIGQUIT',
  stopSeconds: 25,
};

it('writes what the engine accepts, with all that was said of the container', () => {
  const adopted = adoptOne(FULL);
  const parsed = parseManifests([adopted.file]);
  expect([...parsed.problems, ...acceptResources(parsed)]).toEqual([]);
  expect(podOf(FULL)).toEqual({
    os: { name: 'linux' },
    hostname: 'front',
    hostAliases: [{ ip: '10.0.0.5', hostnames: ['db', 'cache'] }],
    dnsConfig: {
      nameservers: ['10.0.0.1'],
      searches: ['shop'],
      options: [{ name: 'ndots', value: '2' }],
    },
    securityContext: {
      supplementalGroups: [44],
      sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
    },
    terminationGracePeriodSeconds: 25,
    volumes: [
      { name: 'data-1', hostPath: { path: '/etc/app' } },
      { name: 'data-2', emptyDir: { medium: 'Memory', sizeLimit: '1048576' } },
      { name: 'data-3', emptyDir: { medium: 'Memory', sizeLimit: '134217728' } },
    ],
    containers: [
      {
        name: 'web',
        image: 'nginx:1.22',
        command: ['/entry'],
        args: ['serve', '--price', '$$(CAT) for $$$$1'],
        workingDir: '/srv',
        env: [
          { name: 'MODE', value: 'production' },
          { name: 'PRICE', value: '$5' },
          { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'DB_PASSWORD' } } },
        ],
        stdin: true,
        tty: true,
        resources: { limits: { cpu: '500m', memory: '67108864' } },
        volumeMounts: [
          { name: 'data-1', mountPath: '/etc/app', readOnly: true },
          { name: 'data-2', mountPath: '/scratch' },
          { name: 'data-3', mountPath: '/dev/shm' },
        ],
        readinessProbe: {
          exec: { command: ['/check'] },
          initialDelaySeconds: 7,
          periodSeconds: 5,
          timeoutSeconds: 2,
          failureThreshold: 4,
        },
        lifecycle: { stopSignal: 'SIGQUIT' },
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          runAsUser: 1000,
          runAsGroup: 1001,
          capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
          seccompProfile: { type: 'Unconfined' },
        },
      },
    ],
  });
  const [secret] = documents(adopted);
  expect(secret).toMatchObject({ kind: 'Secret', stringData: { DB_PASSWORD: 'swordfish' } });
  expect(adopted.differences).toEqual([
    'DB_PASSWORD is in a Secret, in clear: keep this repository to yourselves.',
  ]);
  expect(adopted.takingOver).toEqual([
    'Once Deployment web serves, `docker stop web`: until then ports 8080, 5353 of the host stay with what runs now.',
  ]);
});

it('reaches it by its name as on a network of Docker, and at the ports of the host', () => {
  const services = documents(adoptOne(FULL)).filter(({ kind }) => kind === 'Service');
  expect(services.map(({ metadata, spec }) => [metadata.name, spec])).toEqual([
    [
      'web',
      {
        clusterIP: 'None',
        selector: { app: 'web' },
        ports: [
          { name: 'tcp-80', port: 80 },
          { name: 'udp-53', port: 53, protocol: 'UDP' },
          { name: 'tcp-9000', port: 9000 },
        ],
      },
    ],
    [
      'web-public',
      {
        type: 'LoadBalancer',
        selector: { app: 'web' },
        ports: [
          { name: 'tcp-8080', port: 8080, targetPort: 80 },
          { name: 'udp-5353', port: 5353, targetPort: 53, protocol: 'UDP' },
        ],
      },
    ],
  ]);
});

it('opens to nobody else what is published on one address', () => {
  const adopted = adoptOne({
    ports: [{ container: 80, protocol: 'TCP', host: 8080, ip: '127.0.0.1' }],
  });
  expect(documents(adopted).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Deployment web',
    'Service web',
  ]);
  const { spec } = deployment(adopted);
  expect(spec['strategy']).toEqual({ type: 'Recreate' });
  expect(spec.template?.spec.containers[0]?.['ports']).toEqual([
    { containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1' },
  ]);
});

it('starts nothing that would write beside what still writes', () => {
  const adopted = adoptOne({
    name: 'db',
    mounts: [
      {
        kind: 'volume',
        name: 'shop_data',
        source: '/var/lib/docker/volumes/shop_data/_data',
        target: '/data',
        readOnly: false,
        driver: 'local',
      },
    ],
  });
  const { spec } = deployment(adopted);
  expect(spec).toMatchObject({ replicas: 0, strategy: { type: 'Recreate' } });
  expect(adopted.takingOver).toEqual([
    'It has no replicas yet, since two at a time would write shop_data: `docker stop db`, then set replicas to 1 and push.',
  ]);
  expect(adopted.file.text).toContain('# It has no replicas yet');
});

it('makes one Deployment of a service of Compose', () => {
  const compose = { project: 'shop', service: 'Front_End' };
  const adopted = adopt(
    [
      { ...PLAIN, id: '1', name: 'shop-front-1', compose },
      { ...PLAIN, id: '2', name: 'shop-front-2', compose },
      { ...PLAIN, id: '3', name: 'front-end' },
    ],
    { folder: 'apps', namespace: 'shop' },
  );
  expect(adopted.map(({ name, containers, file }) => [name, containers, file.path])).toEqual([
    ['front-end', ['shop-front-1', 'shop-front-2'], 'apps/front-end.yaml'],
    ['front-end-2', ['front-end'], 'apps/front-end-2.yaml'],
  ]);
  const [first] = adopted;
  expect(first === undefined ? {} : deployment(first)).toMatchObject({
    metadata: { namespace: 'shop' },
    spec: { replicas: 2 },
  });
});

it('loses nothing of replicas that are not alike', () => {
  const compose = { project: 'shop', service: 'web' };
  const volume = { kind: 'volume', source: '/v/one', target: '/data', readOnly: false } as const;
  const port = { container: 80, protocol: 'TCP' } as const;
  const adopted = adopt(
    [
      { ...PLAIN, id: '1', name: 'shop-web-1', compose, ports: [{ ...port, host: 8080 }] },
      { ...PLAIN, id: '2', name: 'shop-web-2', compose, ports: [{ ...port, host: 8081 }] },
      { ...PLAIN, id: '3', name: 'shop-web-3', compose, ports: [port], mounts: [volume] },
    ],
    { folder: 'deploy' },
  );
  const [both, other] = adopted;
  if (both === undefined || other === undefined) throw new Error('two were to be adopted');
  expect(adopted.map(({ name, containers }) => [name, containers])).toEqual([
    ['web', ['shop-web-1', 'shop-web-2']],
    ['web-2', ['shop-web-3']],
  ]);
  const published = documents(both).find(({ metadata }) => metadata.name === 'web-public');
  expect(published?.spec['ports']).toEqual([
    { name: 'tcp-8080', port: 8080, targetPort: 80 },
    { name: 'tcp-8081', port: 8081, targetPort: 80 },
  ]);
  expect(other.differences.join('\n')).toMatch(/differs from other containers of the service web/);
});

it('takes no lines of others into its files', () => {
  const { file } = adoptOne({ labels: { 'a\nkind: Evil\r\nb': 'c' } });
  expect(file.text.split('\n').filter((line) => line.startsWith('kind: Evil'))).toEqual([]);
});

it.each<[Partial<RunningContainer>, RegExp]>([
  [{ user: 'postgres' }, /runs as the user postgres.*runAsUser/],
  [{ others: ['--device /dev/fuse'] }, /--device \/dev\/fuse is not carried over/],
  [{ labels: { 'traefik.enable': 'true' } }, /labels are not carried over: traefik.enable/],
  [{ isPublished: false }, /nginx:1.22 was not pulled from a registry/],
  [{ image: `sha256:${'b'.repeat(64)}`, isPublished: false }, /image has no name/],
  [{ restart: 'no' }, /restart policy no: a Deployment starts it again/],
  [{ restart: '' }, /restart policy no/],
  [{ sysctls: { 'kernel.shmmax': '1' } }, /sysctl kernel.shmmax is not set/],
  [{ extraHosts: ['me:host-gateway'] }, /name me for this host is not carried over/],
  [{ network: 'none' }, /had no network/],
  [{ hostname: 'a.b' }, /host name a.b is no DNS label/],
  [{ securityOptions: ['apparmor=mine'] }, /--security-opt apparmor=mine is not carried over/],
  [{ hasInit: true }, /Instead of --init/],
  [{ ports: [{ container: 7, protocol: 'SCTP' }] }, /Port 7\/SCTP is not served/],
])('tells what runs otherwise: %j', (more, told) => {
  const { differences, file } = adoptOne(more);
  expect(differences.join('\n')).toMatch(told);
  expect(file.text).toMatch(told);
});

it('asks an open port where nothing is said about health', () => {
  const more: Partial<RunningContainer> = {
    ports: [{ container: 80, protocol: 'TCP', host: 8080 }],
  };
  expect(containerOf(more)['readinessProbe']).toEqual({
    tcpSocket: { port: 80 },
    periodSeconds: 2,
  });
  expect(podOf({ ...more, network: 'host' })).toMatchObject({ hostNetwork: true });
  expect(documents(adoptOne({ ...more, network: 'host' }))).toHaveLength(1);
});

it.each<[Partial<RunningContainer>, RegExp]>([
  [{ state: 'exited' }, /container web does not run \(exited\)/],
  [{ network: 'container:abc' }, /lives in another one's network/],
])('refuses %j', (more, told) => {
  expect(() => adoptOne(more)).toThrow(told);
});

it('quotes what YAML would read otherwise', () => {
  const { file } = adoptOne({ environment: { PORT: '8080', ON: 'yes' } });
  const text = file.text.slice(file.text.indexOf('apiVersion'), file.text.indexOf('---'));
  expect(JSON.stringify(parse(text))).toContain('"value":"8080"');
});
