import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOOK_DESCRIPTOR } from './hook-call.ts';

/**
 * Passes a push on to the server and prints what it answers; hook-call.ts reads and writes the other end. A shell is
 * there wherever git is, and starts in a millisecond.
 */
const SCRIPT = `#!/bin/sh
phase="\${0##*/}"
{
  echo "$phase"
  objects="\${GIT_QUARANTINE_PATH:-$GIT_OBJECT_DIRECTORY}"
  case "$objects" in
    '') ;;
    /*) echo "objects $objects" ;;
    *) echo "objects $PWD/$objects" ;;
  esac
  number=0
  while [ "$number" -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ]; do
    eval "option=\\$GIT_PUSH_OPTION_$number"
    printf 'option %s\\n' "$option"
    number=$((number + 1))
  done
  while read -r update; do printf 'update %s\\n' "$update"; done
  echo end
} >&${HOOK_DESCRIPTOR}
while IFS= read -r answer; do
  case "$answer" in
    'say '*) printf '%s\\n' "\${answer#say }" >&2 ;;
    'exit '*) exit "\${answer#exit }" ;;
  esac
done <&${HOOK_DESCRIPTOR}
echo 'windlass: the server does not answer its hook; what is stored is run later' >&2
[ "$phase" = post-receive ]
`;

/** Writes the hooks that every repository of this server uses; a repository's own are never run. */
export async function writeHooks(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const phase of ['pre-receive', 'post-receive']) {
    const file = join(folder, phase);
    await writeFile(`${file}.part`, SCRIPT, { mode: 0o700 });
    await rename(`${file}.part`, file);
  }
}
