import { registryOf } from './credentials.ts';

/** Docker's words, which say neither whose nor what to do. */
const NO_LOGIN = /no basic auth credentials/i;

/** What is wrong and what to do where Docker has no login that the image's registry takes; absent where it says something else. */
export function missingLogin(
  image: string,
  { message, wasGiven }: { message: string; wasGiven: boolean },
): string | undefined {
  if (!NO_LOGIN.test(message)) return undefined;
  const registry = registryOf(image);
  const [what, which] = wasGiven
    ? ['does not take the login that it was given', 'the right one']
    : ['wants a login, and none is known', 'one'];
  return `the registry ${registry} ${what}: name a Secret with ${which} in imagePullSecrets, or \`docker login ${registry}\` as the user whom Windlass runs as`;
}
