import type { UpdateConfig } from '#core/swarm/update-config.ts';
import type { Placement } from '#core/swarm/placement.ts';

/** A service as Docker's API has it, as far as we say it. Durations are nanoseconds. */
export interface ServiceSpec {
  Name: string;
  Labels: Record<string, string>;
  TaskTemplate: TaskTemplate;
  Mode: ServiceMode;
  /** Neither is there of a job. */
  UpdateConfig?: UpdateConfig;
  RollbackConfig?: UpdateConfig;
  EndpointSpec: { Mode: EndpointMode; Ports: PublishedPort[] };
}

/** How Swarm's own names lead to tasks: by all their addresses, or one that the kernel spreads. */
export type EndpointMode = 'dnsrr' | 'vip';

export type ServiceMode =
  | { Replicated: { Replicas: number } }
  | { Global: Record<string, never> }
  | { ReplicatedJob: { MaxConcurrent: number; TotalCompletions: number } };

interface PublishedPort {
  Protocol: 'tcp' | 'udp';
  TargetPort: number;
  PublishedPort: number;
  PublishMode: 'host';
}

export interface TaskTemplate {
  ContainerSpec: TaskContainer;
  Resources: { Limits: Amounts; Reservations: Amounts };
  RestartPolicy: {
    Condition: 'any' | 'on-failure' | 'none';
    Delay: number;
    MaxAttempts: number;
  };
  Placement: Placement;
  Networks: { Target: string }[];
  LogDriver: { Name: string; Options: Readonly<Record<string, string>> };
}

interface Amounts {
  NanoCPUs?: number;
  MemoryBytes?: number;
}

interface TaskContainer {
  Image: string;
  Labels: Record<string, string>;
  Command: string[];
  Args: string[];
  Env: string[];
  Dir: string;
  User: string;
  Groups: string[];
  Hostname: string;
  TTY: boolean;
  OpenStdin: boolean;
  ReadOnly: boolean;
  StopSignal: string;
  StopGracePeriod: number;
  Healthcheck: HealthCheck;
  Hosts: string[];
  DNSConfig: { Nameservers: string[]; Search: string[]; Options: string[] };
  Sysctls: Record<string, string>;
  CapabilityAdd: string[];
  CapabilityDrop: string[];
  Mounts: ServiceMount[];
  Configs: ConfigMount[];
  Secrets: SecretMount[];
}

export interface HealthCheck {
  Test: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  Retries?: number;
}

export type ServiceMount =
  | { Type: 'bind'; Source: string; Target: string; ReadOnly: boolean }
  | {
      Type: 'volume';
      /** Absent: a new one for each task. */
      Source?: string;
      Target: string;
      ReadOnly: boolean;
      VolumeOptions: { NoCopy: true };
    }
  | { Type: 'tmpfs'; Target: string; ReadOnly: boolean; TmpfsOptions?: { SizeBytes: number } };

interface FileMount {
  File: { Name: string; UID: string; GID: string; Mode: number };
}
/** By name: Swarm asks for the id too, which whoever writes it looks up. */
export type ConfigMount = FileMount & { ConfigName: string };
export type SecretMount = FileMount & { SecretName: string };

/** A config or secret of Swarm, named after what is in it: it never changes. */
export interface SwarmFile {
  kind: 'config' | 'secret';
  name: string;
  /** Base64. Memory only: holds Secrets. */
  content: string;
}
