import type Docker from 'dockerode';
import { callDocker, isStatus } from '#adapters/docker/call.ts';
import type { LocalImage } from '#core/collect.ts';

const PRUNE_TIMEOUT_MS = 600_000;

interface ImageSummary {
  Id: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  /** Seconds since the epoch. */
  Created: number;
  Labels: Record<string, string> | null;
}

/** Images that carry the label with that value, and what they carry under `group`. */
export async function listImages(
  docker: Docker,
  label: { name: string; value: string },
  group: string,
  signal: AbortSignal,
): Promise<{ image: LocalImage; group: string }[]> {
  const [images, containers] = await Promise.all([
    callDocker<ImageSummary[]>(docker, {
      method: 'GET',
      path: '/images/json',
      query: { filters: JSON.stringify({ label: [`${label.name}=${label.value}`] }) },
      signal,
    }),
    callDocker<{ ImageID: string }[]>(docker, {
      method: 'GET',
      path: '/containers/json',
      query: { all: true },
      signal,
    }),
  ]);
  const used = new Set(containers.map(({ ImageID }) => ImageID));
  return images.map((each) => ({
    image: {
      id: each.Id,
      tags: namesIn(each.RepoTags),
      digests: namesIn(each.RepoDigests),
      createdAt: each.Created * 1_000,
      inUse: used.has(each.Id),
    },
    group: each.Labels?.[group] ?? '',
  }));
}

/** Takes a name off an image, and the image away with its last one; false where something still needs it. */
export async function removeImage(
  docker: Docker,
  image: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await callDocker(docker, { method: 'DELETE', path: `/images/${image}`, signal });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return true;
    if (isStatus(error, 409)) return false;
    throw error;
  }
}

/** Bounds the build cache, oldest use first; answers the bytes that were freed. */
export async function pruneBuildCache(
  docker: Docker,
  keepBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const { SpaceReclaimed } = await callDocker<{ SpaceReclaimed?: number }>(docker, {
    method: 'POST',
    path: '/build/prune',
    query: { 'keep-storage': keepBytes },
    timeoutMs: PRUNE_TIMEOUT_MS,
    signal,
  });
  return SpaceReclaimed ?? 0;
}

/** Docker lists what has no name as `<none>:<none>`. */
function namesIn(names: string[] | null): string[] {
  return (names ?? []).filter((name) => !name.includes('<none>'));
}
