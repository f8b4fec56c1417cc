import { hasImage, pullWithAny } from '#adapters/docker/pull.ts';
import { registryOf } from '#adapters/docker/credentials.ts';
import type { ReadCredentials } from '#adapters/docker/credentials.ts';
import { LONGEST_DELAY_MS, pullTime } from '#core/docker/backoff.ts';
import type { ContainerSpec, PodProblem } from '#core/docker/world.ts';
import { messageOf, UserError } from '#core/errors.ts';
import { contentHash } from '#core/hash.ts';
import type { DockerContext } from './context.ts';
import { dueAt } from './noted-times.ts';
import { loopbackHint } from './loopback-registry.ts';
import { StepWaits } from './step-waits.ts';
import { lackOf } from './system-containers.ts';
import type { BringImage } from './system-containers.ts';

/** How soon a pod that waits for an image is looked at again, should the event of its arrival be missed. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Brings images. A pull runs beside the passes, once for all who wait for it with the same logins; `here` answers at once. Its failure is
 * kept until `retryAt` and told as the pod's problem.
 */
export interface Images {
  /** Absent: the image is here and a container may be made from it. Otherwise it is being pulled, or why not. */
  bring(user: string, container: Wanted, signal: AbortSignal): Promise<PodProblem | undefined>;
  /** Of one that Windlass itself runs. */
  bringOwn: BringImage;
  /** How the last pull of the image stands; absent when it ended well. */
  problemOf(container: ContainerSpec): PodProblem | undefined;
  close(): void;
}

type Wanted = Pick<ContainerSpec, 'name' | 'image' | 'pullPolicy' | 'logins'>;

interface Pull {
  /** `Always` pulls once for each container made. */
  usedBy: Set<string>;
  attempts: number;
  state: 'running' | 'here' | 'failed';
  message: string;
  retryAt: number;
}

/** An image that is never pulled may still come by hand. */
const NEVER_PULL_LOOK_MS = 300_000;

export function createImages(
  context: DockerContext,
  readCredentials: ReadCredentials,
  onChange: (what: string) => void,
): Images {
  const pulls = new Map<string, Pull>();
  const closing = new AbortController();

  async function run({ image, logins }: Wanted, pull: Pull): Promise<void> {
    try {
      const own = await readCredentials(image);
      const serveraddress = registryOf(image);
      const auths = [
        ...logins.map((login) => ({ ...login, serveraddress })),
        ...(own === undefined ? [] : [own]),
      ];
      await pullWithAny(context.docker, image, auths, closing.signal);
      pull.state = 'here';
      pull.attempts = 0;
      context.log.info({ cluster: context.cluster, image }, 'image pulled');
    } catch (error) {
      pull.state = 'failed';
      pull.message = messageOf(error) + loopbackHint(image, context.isRemote);
      pull.retryAt = pullTime(pull.attempts, Date.now());
      if (!closing.signal.aborted) {
        context.log.warn(
          { cluster: context.cluster, image, err: error },
          'image could not be pulled',
        );
      }
    }
    onChange(`pull of ${image}`);
  }

  function begin(container: Wanted): void {
    const key = keyOf(container);
    const pull = pulls.get(key) ?? {
      usedBy: new Set(),
      attempts: 0,
      state: 'running',
      message: '',
      retryAt: 0,
    };
    pull.state = 'running';
    pull.usedBy.clear();
    pull.attempts += 1;
    pulls.set(key, pull);
    void run(container, pull);
  }

  function problemOf(container: Wanted): PodProblem | undefined {
    const pull = pulls.get(keyOf(container));
    return pull === undefined || pull.state === 'here' ? undefined : describe(container, pull);
  }

  async function bring(
    user: string,
    container: Wanted,
    signal: AbortSignal,
  ): Promise<PodProblem | undefined> {
    const { image, pullPolicy } = container;
    const pull = pulls.get(keyOf(container));
    const isFresh = pull?.state === 'here' && !pull.usedBy.has(user);
    if (pullPolicy !== 'Always' || isFresh) {
      if (await hasImage(context.docker, image, signal)) {
        pull?.usedBy.add(user);
        return undefined;
      }
    }
    if (pullPolicy === 'Never') return neverPull(container);
    const isUnderWay = pull?.state === 'running';
    const now = Date.now();
    const isTooEarly = pull?.state === 'failed' && dueAt(pull.retryAt, LONGEST_DELAY_MS, now) > now;
    if (!isUnderWay && !isTooEarly) begin(container);
    return problemOf(container);
  }

  return {
    problemOf,
    bring,
    async bringOwn(image, signal) {
      const container: Wanted = { name: '', image, pullPolicy: 'IfNotPresent', logins: [] };
      const problem = await bring('Windlass itself', container, signal);
      if (problem?.reason === 'Pulling') throw new StepWaits(problem.message);
      if (problem !== undefined) throw lackOf(image, problem);
    },
    close: () => closing.abort(new UserError('cancelled', 'the engine was closed')),
  };
}

/** Who pulls with other logins waits for a pull of its own: one that is refused says nothing of the others. */
function keyOf({ image, logins }: Wanted): string {
  return logins.length === 0 ? image : `${image} ${contentHash(logins)}`;
}

function describe(container: Wanted, pull: Pull): PodProblem {
  const isRunning = pull.state === 'running';
  const failed = pull.attempts > 1 ? 'ImagePullBackOff' : 'ErrImagePull';
  const isFirst = isRunning && pull.attempts === 1;
  return {
    container: container.name,
    reason: isFirst ? 'Pulling' : failed,
    message: isFirst ? `pulling ${container.image}` : pull.message,
    retryAt: isRunning ? Date.now() + LOOK_AGAIN_MS : pull.retryAt,
  };
}

function neverPull(container: Wanted): PodProblem {
  return {
    container: container.name,
    reason: 'ErrImageNeverPull',
    message: `image ${container.image} is not here, and imagePullPolicy is Never`,
    retryAt: Date.now() + NEVER_PULL_LOOK_MS,
  };
}
