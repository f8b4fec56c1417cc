import type { Command } from 'commander';
import { RunList } from '#core/api/run.ts';
import { UserError } from '#core/errors.ts';
import { apiPath, createClient } from '../client.ts';
import { describeCommand } from '../command.ts';
import type { JsonOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { writeLogin } from '../login-file.ts';

interface LoginOptions extends JsonOption {
  token?: string;
}

export function loginCommand(context: CliContext): Command {
  return describeCommand('login', 'remember a server and its token', [
    'windlass login http://127.0.0.1:4380',
    'windlass login https://windlass.example.com < token.txt',
  ])
    .argument('<url>', "the server's address")
    .option('--token <token>', 'the token; asked for, or read from standard input, when left out')
    .action(async (url: string, options: LoginOptions) => login(context, url, options));
}

async function login(context: CliContext, address: string, options: LoginOptions): Promise<void> {
  const url = originOf(address);
  const token = (options.token ?? (await context.readSecret(`Token of ${url}: `))).trim();
  if (token === '') throw new UserError('invalid-input', 'the token is empty');
  await createClient({ url, token }, context.signal).get(
    apiPath(['runs'], { limit: '1' }),
    RunList,
  );
  await writeLogin(context.configFile, { url, token });
  context.out(
    options.json
      ? JSON.stringify({ url, file: context.configFile })
      : `logged in to ${url}; the token is kept in ${context.configFile}`,
  );
}

function originOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new UserError('invalid-input', `${address} is not an address of a server`, {
      hint: 'write it with its scheme, e.g. http://127.0.0.1:4380',
    });
  }
  return url.origin;
}
