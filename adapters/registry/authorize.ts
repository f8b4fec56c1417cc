import { z } from 'zod';
import type { RegistryAuth } from '#adapters/docker/credentials.ts';
import { UserError } from '#core/errors.ts';

export interface Challenge {
  scheme: 'basic' | 'bearer';
  parameters: Readonly<Record<string, string>>;
}

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** Takes a `WWW-Authenticate` header apart; absent where it is neither Basic nor Bearer. */
export function parseChallenge(header: string): Challenge | undefined {
  const [, scheme = '', rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(header) ?? [];
  const kind = scheme.toLowerCase();
  if (kind !== 'basic' && kind !== 'bearer') return undefined;
  const pairs = [...rest.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
    name.toLowerCase(),
    value,
  ]);
  return { scheme: kind, parameters: Object.fromEntries(pairs) };
}

/** The `Authorization` header that answers the challenge; absent where there is nothing to answer it with. */
export async function answerChallenge(
  challenge: Challenge,
  auth: RegistryAuth | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (challenge.scheme === 'basic') return auth?.username === undefined ? undefined : basic(auth);
  const { realm = '', service, scope } = challenge.parameters;
  if (!URL.canParse(realm)) return undefined;
  const question = new URLSearchParams({
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
  });
  const response =
    auth?.identitytoken === undefined
      ? await fetch(`${realm}?${question.toString()}`, {
          headers: auth?.username === undefined ? {} : { authorization: basic(auth) },
          signal,
        })
      : await fetch(realm, {
          method: 'POST',
          body: withToken(question, auth.identitytoken),
          signal,
        });
  if (!response.ok) {
    throw new UserError(
      'unauthorized',
      `${new URL(realm).host} gave no token: ${response.status}`,
      {
        hint: 'run `docker login` again',
      },
    );
  }
  const { token, access_token: accessToken } = Token.parse(await response.json());
  return `Bearer ${token ?? accessToken ?? ''}`;
}

function withToken(question: URLSearchParams, token: string): URLSearchParams {
  const form = new URLSearchParams(question);
  form.set('grant_type', 'refresh_token');
  form.set('refresh_token', token);
  form.set('client_id', 'windlass');
  return form;
}

function basic({ username = '', password = '' }: RegistryAuth): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
