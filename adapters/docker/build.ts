import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { BuildContext, FileTimes } from '#adapters/docker/build-context.ts';
import { explainBuild } from '#adapters/docker/build-failure.ts';
import { readClassic, readBuildKit } from '#adapters/docker/build-output.ts';
import type { BuildOutcome } from '#adapters/docker/build-output.ts';
import { withSession } from '#adapters/docker/build-session.ts';
import { SENT_DOCKERFILE, tarContext } from '#adapters/docker/build-tar.ts';
import { callDocker, explainCut, openStream } from '#adapters/docker/call.ts';
import type { DockerRequest } from '#adapters/docker/call.ts';
import type { ReadCredentials, RegistryAuth } from '#adapters/docker/credentials.ts';
import { UserError } from '#core/errors.ts';

/** How long Docker may take until it begins to answer; the classic builder reads the whole context first. */
const BEGIN_TIMEOUT_MS = 600_000;
/** Sides of Docker's API: from 1.39 on every Linux engine has BuildKit. */
const BUILDKIT_API = [1, 39] as const;

export type Builder = 'buildkit' | 'classic';

export interface BuildRequest {
  /** For messages: `image web`. */
  what: string;
  /** A `test` keeps nothing but its cache. */
  purpose: 'test' | 'image';
  context: BuildContext;
  /** Equal for builds of the same folder over time. */
  contextKey: string;
  times: FileTimes;
  tag: string;
  target?: string;
  args: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
}

export interface BuildResult {
  /** Absent for a test. */
  imageId?: string;
  /** Whether every step came from the cache. */
  cached: boolean;
}

/**
 * Builds from a context that is already checked. Aborting ends the build in the engine too, with its containers. What
 * the Dockerfile does wrong is a UserError `test-failed` or `build-failed` that names the step and quotes its output.
 */
export async function buildImage(
  docker: Docker,
  builder: Builder,
  request: BuildRequest,
  credentials: ReadCredentials,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<BuildResult> {
  const build = builder === 'buildkit' ? buildWithBuildKit : buildClassic;
  let outcome;
  try {
    outcome = await build(docker, request, credentials, onLine, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw explainBuild(request, { message: explainCut(error) }, error);
  }
  signal.throwIfAborted();
  if (outcome.failure !== undefined) throw explainBuild(request, outcome.failure, undefined);
  if (request.purpose === 'image' && outcome.imageId === undefined) throw brokenOff(request);
  return {
    cached: outcome.cached,
    ...(outcome.imageId === undefined ? {} : { imageId: outcome.imageId }),
  };
}

function brokenOff({ what }: BuildRequest): UserError {
  return new UserError('unavailable', `Docker broke the build of ${what} off without a result`, {
    transient: true,
  });
}

/** What the engine builds best with. */
export async function builderOf(docker: Docker, signal: AbortSignal): Promise<Builder> {
  const { ApiVersion, Os } = await callDocker<{ ApiVersion: string; Os: string }>(docker, {
    method: 'GET',
    path: '/version',
    signal,
  });
  const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
  const [needMajor, needMinor] = BUILDKIT_API;
  const isNew = major > needMajor || (major === needMajor && minor >= needMinor);
  return Os === 'linux' && isNew ? 'buildkit' : 'classic';
}

function buildWithBuildKit(
  docker: Docker,
  request: BuildRequest,
  credentials: ReadCredentials,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<BuildOutcome> {
  return withSession(docker, { ...request, credentials }, signal, async (session) => {
    const stream = await openBuild(docker, signal, {
      // Docker keeps its output back until the body is read, which BuildKit never does: there must be none.
      file: Buffer.alloc(0),
      query: {
        ...commonQuery(request),
        version: '2',
        session,
        remote: 'client-session',
        dockerfile: request.context.dockerfile.name,
        ...(request.purpose === 'test' ? { outputs: '[{"Type":"cacheonly"}]' } : {}),
      },
    });
    return readBuildKit(stream, onLine);
  });
}

async function buildClassic(
  docker: Docker,
  request: BuildRequest,
  credentials: ReadCredentials,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<BuildOutcome> {
  const stream = await openBuild(docker, signal, {
    query: { ...commonQuery(request), version: '1', dockerfile: SENT_DOCKERFILE, forcerm: true },
    file: tarContext(request.context, request.times, signal),
    registries: await registriesOf(request.context.dockerfile.content.toString(), credentials),
  });
  return readClassic(stream, onLine);
}

function openBuild(
  docker: Docker,
  signal: AbortSignal,
  request: Pick<DockerRequest, 'query' | 'file' | 'registries'>,
): Promise<Readable> {
  return openStream(docker, {
    method: 'POST',
    path: '/build',
    timeoutMs: BEGIN_TIMEOUT_MS,
    signal,
    ...request,
  });
}

function commonQuery({ purpose, tag, target, args, labels }: BuildRequest): Record<string, string> {
  return {
    buildargs: JSON.stringify(args),
    labels: JSON.stringify(labels),
    ...(purpose === 'image' ? { t: tag } : {}),
    ...(target === undefined ? {} : { target }),
  };
}

/** The classic builder cannot ask back: it is told beforehand of the registries the Dockerfile names. */
async function registriesOf(
  dockerfile: string,
  credentials: ReadCredentials,
): Promise<Record<string, RegistryAuth>> {
  const images = [...dockerfile.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)/gim)].map(
    ([, image = '']) => image,
  );
  const found = await Promise.all(images.map((image) => credentials(image)));
  const known = found.filter((auth) => auth !== undefined);
  return Object.fromEntries(known.map((auth) => [auth.serveraddress, auth]));
}
