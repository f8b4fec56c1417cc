import type { Action } from '#core/docker/world.ts';

export type HttpAction = Extract<Action, { kind: 'http' }>;

/** The declared headers, and what every request carries where they do not say it. */
export function headersOf(address: string, { headers, port }: HttpAction): [string, string][] {
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const defaults: [string, string][] = [
    ['Host', `${address}:${port}`],
    ['User-Agent', 'windlass-probe'],
    ['Accept', '*/*'],
    ['Connection', 'close'],
  ];
  return [
    ...defaults.filter(([name]) => !given.has(name.toLowerCase())),
    ...Object.entries(headers),
  ];
}

/** As it is sent, by HTTP/1.1. */
export function httpRequest(address: string, action: HttpAction): string {
  const headers = headersOf(address, action).map(([name, value]) => `${name}: ${value}`);
  return [`GET ${action.path} HTTP/1.1`, ...headers, '', ''].join('\r\n');
}
