import { InvalidArgumentError } from 'commander';
import { KINDS } from '#core/docker/kinds.ts';

const KIND_NAMES = [...Object.keys(KINDS), 'Pod'];

/** `Deployment/web` of `deployment/web` or `deployments/web`, as kubectl takes them. */
export function parseWorkload(text: string): string {
  const [, typed = '', name = ''] = /^([A-Za-z]+)\/([^/]+)$/.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError('Write kind and name, e.g. deployment/web.');
  const word = typed.toLowerCase();
  const kind =
    KIND_NAMES.find((each) => [each, `${each}s`].some((name) => name.toLowerCase() === word)) ??
    typed;
  return `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}/${name}`;
}
