import type Docker from 'dockerode';
import { buildImage, builderOf } from '#adapters/docker/build.ts';
import type { Builder, BuildRequest, BuildResult } from '#adapters/docker/build.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { hasImage } from '#adapters/docker/pull.ts';
import { pushImage } from '#adapters/docker/push.ts';

type OnLine = (line: string) => void;

/** Builds and pushes with one engine, with the user's credentials. */
export interface ImageEngine {
  build(request: BuildRequest, onLine: OnLine, signal: AbortSignal): Promise<BuildResult>;
  /** Answers the digest. Quick where the registry has it already. */
  push(
    image: { repository: string; tag: string },
    onLine: OnLine,
    signal: AbortSignal,
  ): Promise<string>;
  /** Whether the engine has the image itself. */
  has(image: string, signal: AbortSignal): Promise<boolean>;
}

export function createImageEngine(docker: Docker, credentials: ReadCredentials): ImageEngine {
  let known: Builder | undefined;
  return {
    build: async (request, onLine, signal) => {
      known ??= await builderOf(docker, signal);
      return buildImage(docker, known, request, credentials, onLine, signal);
    },
    push: (image, onLine, signal) => pushImage(docker, image, credentials, onLine, signal),
    has: (image, signal) => hasImage(docker, image, signal),
  };
}
