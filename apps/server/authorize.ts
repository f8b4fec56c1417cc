import type { FastifyReply, FastifyRequest } from 'fastify';
import { UserError } from '#core/errors.ts';
import { roleOf } from './role-of.ts';
import type { Role, Tokens } from '#adapters/state/tokens.ts';

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Lets requests with the token of one of the roles pass. */
export function requireRole(tokens: Tokens, roles: readonly Role[]): Hook {
  return async function check(request) {
    const role = roleOfHeader(tokens, request.headers.authorization);
    if (role !== undefined && roles.includes(role)) return;
    throw new UserError(
      'unauthorized',
      role === undefined ? 'no valid token came with the request' : 'this token may not do that',
      { hint: 'log in with the token in tokens.json of the state folder' },
    );
  };
}

/** `Bearer <token>`, or `Basic` with the token as the password, as git sends it. */
export function roleOfHeader(tokens: Tokens, header: string | undefined): Role | undefined {
  const [scheme = '', value = ''] = (header ?? '').split(' ');
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return roleOf(tokens, value);
    case 'basic': {
      const text = Buffer.from(value, 'base64').toString('utf8');
      return roleOf(tokens, text.slice(text.indexOf(':') + 1));
    }
    default:
      return undefined;
  }
}
