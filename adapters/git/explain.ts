import { messageOf, UserError } from '#core/errors.ts';

interface Explanation {
  pattern: RegExp;
  explain: (url: string, line: string, message: string) => UserError;
}

/** First match counts: what needs a person comes before what may pass by itself. */
const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /unable to update url base from redirection|redirect:.*http|returned error: 30[1278]/i,
    explain: (url, line) =>
      new UserError('not-found', `${url} has moved: ${line}`, {
        hint: 'write the new address in source.url',
      }),
  },
  {
    pattern: /could not read (username|password)/i,
    explain: (url) =>
      new UserError('unauthorized', `${url} refused the credentials, or wants some`, {
        hint: 'check source.credentials of the pipeline',
      }),
  },
  {
    pattern: /host key verification failed/i,
    explain: (url, _line, message) =>
      /identification has changed/i.test(message)
        ? new UserError('unauthorized', `${url} shows another host key than the known one`, {
            hint: 'somebody may be in between; if the key was changed on purpose, put the new one into what knownHosts names',
          })
        : new UserError('unauthorized', `the host key of ${url} is not known`, {
            hint: 'put its line, as `ssh-keyscan` prints it, into what source.credentials.knownHosts names',
          }),
  },
  {
    pattern: /^load key /im,
    explain: (url, line) =>
      new UserError(
        'unauthorized',
        `the key for ${url} cannot be read${line.replace(/^.*(?=: )/, '')}`,
        {
          hint: 'source.credentials.sshKey must name a whole private key, without a passphrase',
        },
      ),
  },
  {
    pattern: /authentication failed|permission denied \(|returned error: 40[13]/i,
    explain: (url, line) =>
      new UserError('unauthorized', `${url} refused the credentials: ${line}`, {
        hint: 'check source.credentials of the pipeline; a key with a passphrase is of no use',
      }),
  },
  {
    pattern: /certificate|SSL CA cert/i,
    explain: (url, line) =>
      new UserError('unauthorized', `${url} is not trusted: ${reasonIn(line)}`, {
        hint: 'where its authority is one of your own, name its file in GIT_SSL_CAINFO, for the server and build workers',
      }),
  },
  {
    pattern: /\bssh: (command )?not found|cannot run ssh/i,
    explain: (url) =>
      new UserError('missing-tool', `${url} needs ssh, which is not on this machine`, {
        hint: 'install openssh-client where the build worker runs',
      }),
  },
  {
    pattern: /repository .* not found|does not appear to be a git repository|returned error: 404/i,
    explain: (url, line) =>
      new UserError('not-found', `there is no git repository at ${url}: ${line}`, {
        hint: 'check source.url of the pipeline',
      }),
  },
  {
    pattern: /transport '.*' not allowed|unable to find remote helper/i,
    explain: (url, line) =>
      new UserError('unsupported', `${url} cannot be fetched: ${line}`, {
        hint: 'use https, ssh or file',
      }),
  },
  {
    pattern: /no space left on device|out of diskspace/i,
    explain: (_url, line) => new UserError('unavailable', line),
  },
];

/** The mirror itself is damaged, or a killed process left its locks: cloning again helps. */
const BROKEN =
  /not a git repository|bad (object|config|tree|signature)|corrupt|unable to read|missing (blob|tree|commit|object)|inflate|invalid sha1|cannot lock ref|\.lock': File exists|unable to create/i;

export function isBrokenRepository(error: unknown): boolean {
  return BROKEN.test(messageOf(error));
}

/** What the operator should hear of a failed fetch. What is not known is taken for the network: it may pass. */
export function explainFetch(url: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const shown = redactUrl(url);
  const message = redactText(messageOf(error));
  const known = EXPLANATIONS.find(({ pattern }) => pattern.test(message));
  if (known !== undefined) return known.explain(shown, lineWith(message, known.pattern), message);
  const timedOut = /block timeout reached|too slow|timed out/i.test(message);
  return new UserError(
    timedOut ? 'timeout' : 'unavailable',
    `fetching ${shown} failed: ${timedOut ? 'the remote stopped answering' : lastLine(message)}`,
    { transient: true },
  );
}

/** The URL without a password that somebody wrote into it. */
export function redactUrl(url: string): string {
  return redactText(url);
}

export function redactText(text: string): string {
  return text
    .replace(/(\bssh:\/\/[^/\s@':]+):[^/\s@']+@/gi, '$1:***@')
    .replace(/(\b(?!ssh:)[a-z][a-z0-9+.-]*:\/\/)[^/\s@']+@/gi, '$1***@');
}

function lineWith(message: string, pattern: RegExp): string {
  const line = message.split('\n').find((each) => pattern.test(each));
  return clean(line ?? lastLine(message));
}

/** Git says before it what it could not do, with the address. */
function reasonIn(line: string): string {
  return line.replace(/^unable to access '[^']*': /, '');
}

function lastLine(message: string): string {
  const lines = message
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  // Of a failed ssh git itself only says that it failed.
  const told =
    lines.find((line) => line.startsWith('ssh: ')) ??
    lines.findLast((line) => /^(fatal|error|remote):/.test(line));
  return clean(told ?? lines.at(-1) ?? 'no reason given');
}

function clean(line: string): string {
  return line.replace(/^(fatal|error): /, '').trim();
}
