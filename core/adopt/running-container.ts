import { z } from 'zod';

const Mount = z.strictObject({
  kind: z.enum(['bind', 'volume', 'tmpfs']),
  /** Where it is on the host; of a volume its folder. Empty for tmpfs. */
  source: z.string(),
  target: z.string(),
  readOnly: z.boolean(),
  /** Of a volume. */
  name: z.string().exactOptional(),
  driver: z.string().exactOptional(),
  /** Of tmpfs, where it is bounded. */
  bytes: z.int().exactOptional(),
});

const Port = z.strictObject({
  container: z.int().min(1).max(65_535),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']),
  /** Of the host, where it is published. */
  host: z.int().min(1).max(65_535).exactOptional(),
  /** Address of the host that it is published on; absent for all. */
  ip: z.string().exactOptional(),
});

/** Seconds. */
const HealthCheck = z.strictObject({
  command: z.array(z.string()).min(1),
  period: z.int().min(1),
  timeout: z.int().min(1),
  retries: z.int().min(1),
  startPeriod: z.int().min(0),
});

/**
 * A container as whoever made it wanted it, in the words of Docker: what its image says already is left out. It holds
 * the environment in clear.
 */
export const RunningContainer = z.strictObject({
  id: z.string(),
  name: z.string(),
  /** Of Docker Compose. */
  compose: z.strictObject({ project: z.string(), service: z.string() }).exactOptional(),
  /** Docker's word: running, exited. */
  state: z.string(),
  /** As it was run; an id where the image has no name. */
  image: z.string(),
  /** Whether a registry has the image, as far as this host knows. */
  isPublished: z.boolean(),
  entrypoint: z.array(z.string()).exactOptional(),
  command: z.array(z.string()).exactOptional(),
  environment: z.record(z.string(), z.string()),
  workingDir: z.string().exactOptional(),
  user: z.string().exactOptional(),
  hostname: z.string().exactOptional(),
  tty: z.boolean(),
  stdin: z.boolean(),
  ports: z.array(Port),
  mounts: z.array(Mount),
  /** Docker's word: no, always, unless-stopped, on-failure. */
  restart: z.string(),
  memoryBytes: z.int().exactOptional(),
  milliCpus: z.int().exactOptional(),
  sharedMemoryBytes: z.int().exactOptional(),
  privileged: z.boolean(),
  readOnlyRoot: z.boolean(),
  addedCapabilities: z.array(z.string()),
  droppedCapabilities: z.array(z.string()),
  securityOptions: z.array(z.string()),
  /** Groups beside the user's own, by number. */
  groups: z.array(z.int().min(0)),
  sysctls: z.record(z.string(), z.string()),
  /** Docker's word: host, none, bridge, a network's name, container:<id>. */
  network: z.string(),
  hasHostPid: z.boolean(),
  hasHostIpc: z.boolean(),
  hasInit: z.boolean(),
  /** `name:address`. */
  extraHosts: z.array(z.string()),
  dns: z.strictObject({
    servers: z.array(z.string()),
    searches: z.array(z.string()),
    options: z.array(z.string()),
  }),
  healthCheck: HealthCheck.exactOptional(),
  stopSignal: z.string().exactOptional(),
  stopSeconds: z.int().min(0).exactOptional(),
  /** Of whoever made it, for programs that read them, such as proxies. */
  labels: z.record(z.string(), z.string()),
  /** What else was asked for, each as the option of `docker run`: `--device /dev/fuse`. */
  others: z.array(z.string()),
});
export type RunningContainer = z.infer<typeof RunningContainer>;
export type RunningMount = z.infer<typeof Mount>;
export type RunningPort = z.infer<typeof Port>;

/** Which containers are meant: those that are named, and those of a project of Docker Compose. */
export const RunningQuery = z.strictObject({
  /** Names, ids or beginnings of ids. */
  containers: z.array(z.string().min(1).max(300)).max(200),
  composeProject: z.string().min(1).max(300).exactOptional(),
});
export type RunningQuery = z.infer<typeof RunningQuery>;

export const RunningAnswer = z.strictObject({ containers: z.array(RunningContainer) });
export type RunningAnswer = z.infer<typeof RunningAnswer>;
