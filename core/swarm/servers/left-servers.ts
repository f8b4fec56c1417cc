import { LEFT_PREFIX } from './labels.ts';

/** How long a server that was dead when it was taken out is looked for, in milliseconds. */
export const LEFT_MS = 30 * 24 * 3_600_000;

type Labels = Readonly<Record<string, string>>;

/**
 * Servers that were taken out while they were dead, and how they are reached. One that comes back goes on with what it ran,
 * and nobody else would ask it: it is in no file, and its node is gone.
 */
export function leftServers(labels: Labels, now: number): Map<string, string> {
  return new Map(
    Object.entries(labels).flatMap(([label, value]): [string, string][] => {
      const [, at = '', reach] = /^(\d+) (.*)$/s.exec(value) ?? [];
      if (!label.startsWith(LEFT_PREFIX) || reach === undefined || isOver(at, now)) return [];
      return [[label.slice(LEFT_PREFIX.length), reach]];
    }),
  );
}

/** With one that left, or without one that is cleaned where `reach` is absent; without those whose time is over. */
export function withLeft(
  labels: Labels,
  { server, reach }: { server: string; reach?: string },
  now: number,
): Record<string, string> {
  const own = `${LEFT_PREFIX}${server}`;
  const others = Object.entries(labels).filter(
    ([label, value]) =>
      label !== own && !(label.startsWith(LEFT_PREFIX) && isOver(value.split(' ')[0] ?? '', now)),
  );
  return {
    ...Object.fromEntries(others),
    ...(reach === undefined ? {} : { [own]: `${now} ${reach}` }),
  };
}

function isOver(at: string, now: number): boolean {
  return now - Number(at) > LEFT_MS;
}
