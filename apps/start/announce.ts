export interface Announcement {
  url: string;
  adminToken: string;
  /** Where the example answers; absent where it does not. */
  exampleUrl: string | undefined;
}

/** What one needs to know to go on, once all is up. */
export function announcement({ url, adminToken, exampleUrl }: Announcement): string {
  const remote = `${url.replace('://', `://windlass:${adminToken}@`)}/git/<name>.git`;
  const example = exampleUrl === undefined ? [] : [`  Example      ${exampleUrl}`];
  return [
    '',
    'Windlass is up.',
    '',
    ...example,
    `  API          ${url}/api/v1`,
    `  Admin token  ${adminToken}`,
    '',
    'Push a repository of your own (`windlass init` in it writes the first files; `npm link` here puts `windlass` on your PATH):',
    '',
    `  git remote add windlass ${remote}`,
    '  git push windlass main',
    '',
    'Ctrl-C stops Windlass; what is deployed keeps running.',
  ].join('\n');
}
