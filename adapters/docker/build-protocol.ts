import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import type { MessageTypeDefinition, PackageDefinition } from '@grpc/proto-loader';
import type { ServiceDefinition } from '@grpc/grpc-js';

interface Timestamp {
  seconds: number;
  nanos: number;
}

export interface Vertex {
  digest: string;
  name: string;
  cached: boolean;
  started: Timestamp | null;
  completed: Timestamp | null;
  error: string;
}

/** What BuildKit tells while it builds. */
export interface BuildStatus {
  vertexes: Vertex[];
  statuses: { vertex: string; ID: string; total: number; completed: Timestamp | null }[];
  logs: { vertex: string; msg: Buffer }[];
}

export const PACKET = { stat: 0, request: 1, data: 2, end: 3, error: 4 };

export interface Packet {
  type: number;
  stat?: {
    path: string;
    mode: number;
    uid: number;
    gid: number;
    size: number;
    modTime: string;
    linkname: string;
  };
  ID?: number;
  data?: Buffer;
}

export interface BuildProtocol {
  auth: ServiceDefinition;
  fileSync: ServiceDefinition;
  health: ServiceDefinition;
  decodeStatus: (bytes: Buffer) => BuildStatus;
}

let loaded: BuildProtocol | undefined;

/** The protocol, read from its description when it is first needed. */
export function buildProtocol(): BuildProtocol {
  loaded ??= load();
  return loaded;
}

function load(): BuildProtocol {
  const definition = loadSync(
    ['buildkit.proto', 'health.proto'].map((name) => join(import.meta.dirname, name)),
    { keepCase: true, longs: Number, defaults: true },
  );
  const status = definition['moby.filesync.v1.StatusResponse'] as MessageTypeDefinition<
    object,
    BuildStatus
  >;
  return {
    auth: serviceIn(definition, 'moby.filesync.v1.Auth'),
    fileSync: serviceIn(definition, 'moby.filesync.v1.FileSync'),
    health: serviceIn(definition, 'grpc.health.v1.Health'),
    decodeStatus: (bytes) => status.deserialize(bytes),
  };
}

function serviceIn(definition: PackageDefinition, name: string): ServiceDefinition {
  return definition[name] as ServiceDefinition;
}
