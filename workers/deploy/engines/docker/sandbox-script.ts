import { httpRequest } from '#core/docker/probe-request.ts';
import type { Action } from '#core/docker/world.ts';
import type { ProbeResult } from './fold-probe.ts';
import { connectionProblem, httpResult } from './http-probe.ts';

/**
 * Runs in the proxy's sandbox for as long as its input is open, since to start a program in a container takes Docker long.
 * A request to probe is one line of `id kind seconds address port request-in-base64`; its answer is one line of `id` and
 * what was found. `nc -e` hands the connection to a shell, which reads no more than the status and the body's first line.
 * BusyBox has two kinds of `nc`: that of its own defaults, which the public images have, puts the connection at descriptor 3,
 * and tells why it has none only where it is asked to twice; that of Debian takes no such word.
 * A request to run a script is `id run bytes`, and then the script; its answer is `id ended`, the exit code and the end
 * of what it said.
 */
export const SANDBOX_SCRIPT = `
exec 9>&1
verbose=$(nc --help 2>&1 | grep -q -e '-v' && echo -vv)
talk='
  if [ "$2" = tcp ]; then echo "$1 open" >&9; exit; fi
  echo "$4" | base64 -d
  if ! IFS= read -r -t "$3" status; then echo "$1 error no answer within $3 s" >&9; exit; fi
  while IFS= read -r -t 1 line && [ -n "\${line%?}" ]; do :; done
  IFS= read -r -t 1 body
  printf "%s http %.80s\\t%.160s\\n" "$1" "$status" "$body" >&9
'
while read -r id kind seconds address port request; do
  if [ "$kind" = run ]; then
    script=$(dd bs="$seconds" count=1 iflag=fullblock 2>/dev/null)
    ( (
      said=$(eval "$script" 2>&1 </dev/null)
      echo "$id ended $? $(echo "$said" | tail -c 500 | tr '\\n' ' ')"
    ) & )
    continue
  fi
  ( (
    problem=$(nc $verbose -w "$seconds" "$address" "$port" -e sh -c "$talk" sh "$id" "$kind" "$seconds" "$request" 2>&1 >/dev/null) ||
      echo "$id error \${problem:-no connection}" | head -n 1
  ) & )
done
`;

export interface ProbeTarget {
  address: string;
  action: Extract<Action, { kind: 'http' | 'tcp' }>;
  timeoutSeconds: number;
}

export function probeRequest(id: number, { address, action, timeoutSeconds }: ProbeTarget): string {
  const request = action.kind === 'tcp' ? '-' : httpRequest(address, action);
  const encoded = Buffer.from(request).toString('base64');
  return `${id} ${action.kind} ${timeoutSeconds} ${address} ${action.port} ${encoded}\n`;
}

export function runRequest(id: number, script: string): string {
  return `${id} run ${Buffer.byteLength(script)}\n${script}`;
}

/** Any answer: which request it is of, and what it says. */
export function parseAnswer(line: string): { id: number; text: string } | undefined {
  const match = /^(\d+) (.*)$/s.exec(line);
  return match === null ? undefined : { id: Number(match[1]), text: match[2] ?? '' };
}

export function parseProbed(text: string): ProbeResult | undefined {
  const match = /^(open|error|http) ?(.*)$/s.exec(text);
  return match === null ? undefined : resultOf(match[1] ?? '', match[2] ?? '');
}

/** How a script ended. */
export function parseEnding(text: string): { exitCode: number; said: string } | undefined {
  const match = /^ended (\d+) ?(.*)$/s.exec(text);
  return match === null ? undefined : { exitCode: Number(match[1]), said: (match[2] ?? '').trim() };
}

function resultOf(kind: string, rest: string): ProbeResult {
  if (kind === 'open') return { ok: true, answer: 'connected' };
  if (kind === 'error') return { ok: false, answer: connectionProblem(rest) };
  const [status = '', body = ''] = rest.split('\t');
  const code = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(status)?.[1];
  if (code === undefined) return { ok: false, answer: `no HTTP: ${status.trim()}` };
  return httpResult(Number(code), body);
}
