import { registryOf } from '#adapters/docker/credentials.ts';

const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])(:|$)/;

/** Why Docker on another machine does not find a registry that is on this one; empty where that is not so. */
export function loopbackHint(image: string, isRemote: boolean): string {
  const registry = registryOf(image);
  if (!isRemote || !LOOPBACK.test(registry)) return '';
  return ` (${registry} is the server itself there: its images must be in a registry that it reaches, see WINDLASS_REGISTRY)`;
}
