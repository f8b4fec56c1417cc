import type Docker from 'dockerode';
import type { Logger } from 'pino';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { hasImage, pullImage } from '#adapters/docker/pull.ts';
import { messageOf } from '#core/errors.ts';
import { marksOf } from '#core/swarm/marks.ts';
import type { SwarmPlace } from '#core/swarm/marks.ts';

export const LACKS = 7;
const CONFIG = '/proc/config.gz';
/** Of a pass, which waits for it. */
const LOOK_MS = 60_000;
/** What could not be looked at holds up no other pass for as long. */
const RETRY_MS = 600_000;

/** A script that ends with `LACKS` where the file says that the kernel was built without ESP: it cannot encrypt. */
export function lookAtKernel(config: string): string {
  return `
config=$(zcat ${config} 2>/dev/null | grep -e CONFIG_XFRM -e CONFIG_INET_ESP)
case $config in
'' | *CONFIG_INET_ESP=[ym]*) exit 0 ;;
*) exit ${LACKS} ;;
esac
`;
}

interface Known {
  lacksEsp: boolean;
  /** Of one that could not be looked at; milliseconds by a clock that nobody sets. */
  retryAt?: number;
}

/** Of servers, by how they are reached, whether their kernels can encrypt what goes over the cluster's network. */
export interface Kernels {
  /** Known not to: Docker takes an encrypted network all the same, and then carries nothing. */
  lacksEsp(reach: string): boolean;
  /** Looks at those that answer and are not known, by a container that is gone after. Throws nothing but the signal's reason. */
  look(servers: readonly { reach: string; docker: Docker }[], signal: AbortSignal): Promise<void>;
  /** It may come back with another. */
  forget(reach: string): void;
}

export function createKernels(
  place: SwarmPlace,
  { image, readCredentials, log }: { image: string; readCredentials: ReadCredentials; log: Logger },
): Kernels {
  const known = new Map<string, Known>();

  async function lookAt(docker: Docker, signal: AbortSignal): Promise<Known> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    try {
      if (!(await hasImage(docker, image, until)))
        await pullImage(docker, image, await readCredentials(image), until);
      return { lacksEsp: (await runOnce(docker, place, image, { signal, until })) === LACKS };
    } catch (error) {
      signal.throwIfAborted();
      const reason = messageOf(error);
      log.info({ cluster: place.cluster, reason }, 'a kernel could not be looked at');
      return { lacksEsp: false, retryAt: performance.now() + RETRY_MS };
    }
  }

  return {
    lacksEsp: (reach) => known.get(reach)?.lacksEsp === true,
    async look(servers, signal) {
      const now = performance.now();
      const due = servers.filter(({ reach }) => {
        const { retryAt = Infinity } = known.get(reach) ?? { retryAt: 0 };
        return retryAt <= now;
      });
      await Promise.all(
        due.map(async ({ reach, docker }) => {
          known.set(reach, await lookAt(docker, signal));
        }),
      );
    },
    forget: (reach) => known.delete(reach),
  };
}

/** Answers its exit code. */
async function runOnce(
  docker: Docker,
  place: SwarmPlace,
  image: string,
  { signal, until }: { signal: AbortSignal; until: AbortSignal },
): Promise<number> {
  const name = `kernel.${place.cluster}-${place.installation}`;
  const path = `/containers/${name}`;
  await remove();
  const body = {
    Image: image,
    Entrypoint: ['sh', '-c', lookAtKernel(CONFIG)],
    Labels: marksOf(place, 'kernel'),
    HostConfig: { NetworkMode: 'none' },
  };
  const query = { name };
  await callDocker(docker, {
    method: 'POST',
    path: '/containers/create',
    query,
    body,
    signal: until,
  });
  try {
    await callDocker(docker, { method: 'POST', path: `${path}/start`, signal: until });
    const waiting = { timeoutMs: LOOK_MS, signal: until };
    const request = { method: 'POST', path: `${path}/wait`, ...waiting } as const;
    return (await callDocker<{ StatusCode: number }>(docker, request)).StatusCode;
  } finally {
    await remove();
  }

  async function remove(): Promise<void> {
    try {
      await callDocker(docker, { method: 'DELETE', path, query: { force: true }, signal });
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }
}
