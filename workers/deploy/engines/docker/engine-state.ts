import type { Decision, World } from '#core/docker/world.ts';
import type { CertificateOrders } from './certificate-orders.ts';
import type { DockerContext } from './context.ts';
import type { Evictions } from './evictions.ts';
import type { Finishes } from './finishes.ts';
import type { Images } from './images.ts';
import type { Inspections } from './inspections.ts';
import type { LastWordFiles } from './last-word-files.ts';
import type { NotedTimes } from './noted-times.ts';
import type { Problems } from './problems.ts';
import type { Prober } from './prober.ts';
import type { Readiness } from './readiness.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import type { SystemFiles } from './system-files.ts';
import type { Endings } from './endings.ts';
import type { Hooks } from './hooks.ts';
import type { Restarts } from './restarts.ts';
import type { SystemPod } from './system-pod.ts';
import type { Terminations } from './terminations.ts';
import type { UsageMeter } from './usage.ts';
import type { VolumeHashes } from './volume-hashes.ts';

/** What the engine remembers between passes. All of it can be lost: Docker has the truth. */
export interface EngineState {
  ingressPorts: World['ingressPorts'];
  headerKb: number;
  context: DockerContext;
  times: NotedTimes;
  inspections: Inspections;
  volumeHashes: VolumeHashes;
  images: Images;
  problems: Problems;
  evictions: Evictions;
  usage: UsageMeter;
  /** As the last pass left them. */
  autoscalers: Decision['autoscalers'];
  shell: SandboxShell;
  files: SystemFiles;
  prober: Prober;
  readiness: Readiness;
  system: SystemPod;
  certificateOrders: CertificateOrders;
  endings: Endings;
  lastWordFiles: LastWordFiles;
  hooks: Hooks;
  /** Pods that got traffic when this worker first looked; none later. */
  served(read: () => Promise<Set<string>>): Promise<Set<string>>;
  finishes: Finishes;
  terminations: Terminations;
  restarts: Restarts;
}
