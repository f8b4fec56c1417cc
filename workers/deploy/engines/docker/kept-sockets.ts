import { messageOf } from '#core/errors.ts';

const BIND = /^ {2}bind unix@(\S+).*$/gm;
const KEPT = /^\.if .*\n.*\n\.else\n( {2}bind unix@.*)\n\.endif$/gm;
/** Whom HAProxy may give nothing to, without the capability CHOWN that its container lacks. */
const NOBODY = 'uid 1';

/**
 * A worker gets its sockets of the one before, where that answers within a second. On a machine that has no time for it, HAProxy
 * binds them anew; for that it has the one before listen no more, and clients that are about to connect are refused. It is spared
 * that where it meets an error that is for good, as it does with a socket of the file system whose owner it may not change: hence
 * each of those that the configuration of before has too is another's, unless it is handed over. Then nothing was touched, and
 * the load can be tried again.
 */
export function keepSockets(text: string, before: string | undefined): string {
  const had = new Set([...(before ?? '').matchAll(BIND)].map(([, path]) => path));
  return text.replaceAll(BIND, (line, path: string) =>
    had.has(path)
      ? `.if defined(HAPROXY_MWORKER_REEXEC)\n${line} ${NOBODY}\n.else\n${line}\n.endif`
      : line,
  );
}

/** Whether a load was refused since a socket was not handed over. */
export function isOfKept(error: unknown): boolean {
  return messageOf(error).includes('cannot change UNIX socket ownership');
}

/** The configuration as it was made. */
export function withoutKept(text: string): string {
  return text.replaceAll(KEPT, '$1');
}
