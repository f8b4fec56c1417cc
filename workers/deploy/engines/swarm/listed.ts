import { SERVER_LABEL } from '#core/swarm/servers/labels.ts';

/** Objects of Swarm as Docker's API lists them, as far as we read them. */

/** Of containers that are Swarm's own: its task. */
export const TASK_LABEL = 'com.docker.swarm.task.id';

type Labels = Record<string, string> | null;

export interface ListedNode {
  ID: string;
  Spec: { Role: string; Labels?: Labels };
  Description: { Hostname: string };
  Status: { State: string };
}

/** As it is declared; of a node that is of no declared server, as it calls itself. */
export function serverName({ Spec, Description }: ListedNode): string {
  return Spec.Labels?.[SERVER_LABEL] ?? Description.Hostname;
}

export interface ListedFile {
  ID: string;
  Version: { Index: number };
  Spec: { Name: string; Labels: Labels };
}

export interface ListedContainerSpec {
  Image?: string;
  Labels?: Labels;
  Healthcheck?: { Test?: string[] | null };
  Configs?: { ConfigName: string }[] | null;
  Secrets?: { SecretName: string }[] | null;
}

export interface ListedServiceSpec {
  Name: string;
  Labels: Labels;
  TaskTemplate: { ContainerSpec?: ListedContainerSpec };
}

export interface ListedService {
  ID: string;
  Version: { Index: number };
  /** RFC 3339. */
  CreatedAt: string;
  UpdatedAt: string;
  Spec: ListedServiceSpec;
  PreviousSpec?: ListedServiceSpec;
  UpdateStatus?: { State?: string; Message?: string };
}

export interface ListedTask {
  ID: string;
  CreatedAt: string;
  ServiceID: string;
  NodeID?: string;
  Slot?: number;
  Spec: { ContainerSpec?: ListedContainerSpec };
  DesiredState: string;
  Status: {
    State: string;
    Timestamp: string;
    Message?: string;
    Err?: string;
    ContainerStatus?: { ContainerID?: string; ExitCode?: number };
  };
  NetworksAttachments?: { Network: { ID: string }; Addresses?: string[] }[] | null;
}

/** The place that a container which is no task has on a network of Swarm's. */
export interface ListedAttachment {
  NodeID: string;
  Spec: { NetworkAttachmentSpec?: { ContainerID: string } };
}
