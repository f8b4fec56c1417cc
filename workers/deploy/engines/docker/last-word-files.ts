import { readFile } from '#adapters/docker/archive.ts';
import type { DockerContext } from './context.ts';
import type { InspectedContainer } from './inspected.ts';
import { LABEL } from './marks.ts';
import { podKey } from './names.ts';
import type { SandboxShell } from './sandbox-shell.ts';
import { SYSTEM_FOLDER, systemVolumeRoot } from './system-files.ts';

const FOLDER = 'last-words';
/** What the kubelet takes of a termination message. */
const MOST_BYTES = 4_096;
/** Said where there is something to be read, which most containers never have. */
const KEPT = 'kept';

interface Pod {
  namespace: string;
  name: string;
}

/**
 * The files in which containers say why they end. Each is mounted alone, out of the volume of the cluster's own containers:
 * so it outlives its container's end, and takes no call of Docker to be made.
 */
export interface LastWordFiles {
  /** Has an empty one for a container that is about to be made; answers its path on Docker's host. */
  make(pod: Pod, container: string, signal: AbortSignal): Promise<string>;
  /** What it said at its last end; empty where it said nothing, or nobody can look. Read again, it is the same. */
  read(container: InspectedContainer, signal: AbortSignal): Promise<string>;
  remove(pod: Pod, signal: AbortSignal): Promise<void>;
}

export function createLastWordFiles(context: DockerContext, shell: SandboxShell): LastWordFiles {
  let root: Promise<string> | undefined;
  return {
    async make(pod, container, signal) {
      const folder = folderOf(pod);
      root ??= systemVolumeRoot(context, signal).catch((error: unknown) => {
        root = undefined;
        throw error;
      });
      const onHost = await root;
      await shell.run(sandboxOf(shell), makeScript(inSandbox(folder), container), signal);
      return `${onHost}/${folder}/${container}`;
    },
    async read({ Config, State }, signal) {
      const sandbox = shell.sandboxId();
      if (sandbox === undefined) return '';
      const labels = Config.Labels ?? {};
      const { [LABEL.namespace]: namespace = '', [LABEL.pod]: name = '' } = labels;
      const folder = inSandbox(folderOf({ namespace, name }));
      const file = labels[LABEL.container] ?? '';
      const ended = sortableTime(State.FinishedAt);
      const kept = await shell.run(sandbox, keepScript({ folder, file, ended }), signal);
      if (kept !== KEPT) return '';
      return (await readFile(context.docker, sandbox, `${folder}/${file}.kept`, signal)) ?? '';
    },
    async remove(pod, signal) {
      const sandbox = shell.sandboxId();
      if (sandbox === undefined) return;
      await shell.run(sandbox, `rm -rf ${inSandbox(folderOf(pod))}`, signal);
    },
  };
}

function folderOf(pod: Pod): string {
  return `${FOLDER}/${podKey(pod).replace('/', '.')}`;
}

function inSandbox(folder: string): string {
  return `${SYSTEM_FOLDER}/${folder}`;
}

function sandboxOf(shell: SandboxShell): string {
  const id = shell.sandboxId();
  if (id === undefined) throw new Error("the proxy's sandbox does not run");
  return id;
}

/** Whoever the container runs as may write. */
function makeScript(folder: string, file: string): string {
  return `mkdir -p ${folder}\ncd ${folder}\nrm -f ${file}.*\n: > ${file}\nchmod 666 ${file}\n`;
}

/** As `stat` tells times. */
function sortableTime(text: string): string {
  const [, seconds = '', fraction = ''] =
    /^([^.Z]*)(?:\.(\d+))?Z?$/.exec(text.replace('T', ' ')) ?? [];
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}

/**
 * What was written since the end before is what it said at this one; by now it may have been started again, and have said
 * something else: that is looked at last, so that it is not lost. Otherwise it finds the file empty. Docker tells the time
 * of one end in two ways, the later one first.
 */
export function keepScript({
  folder,
  file,
  ended,
}: Record<'folder' | 'file' | 'ended', string>): string {
  return `cd ${folder} 2>/dev/null && [ -e ${file} ] || exit 0
# The pod may go meanwhile, with its files.
trap '[ -e ${folder}/${file} ] || exit 0' EXIT
[ -s ${file} ] || [ -e ${file}.kept ] || exit 0
tell() { [ ! -s ${file}.kept ] || echo ${KEPT}; }
before=$(cat ${file}.ended 2>/dev/null) || before=
[ '${ended}' \\> "$before" ] || { tell; exit 0; }
changed() { TZ=UTC0 stat -c %y ${file}; }
said=$(mktemp ${file}.XXXXXX)
[ ! "$(changed)" \\> "$before" ] || tail -c ${MOST_BYTES} ${file} > $said
# Who does the same at the same time, as where the shell that began it was lost, empties the file only after it told of the end.
before=$(cat ${file}.ended 2>/dev/null) || before=
[ -s $said ] || [ '${ended}' \\> "$before" ] || { rm -f $said; tell; exit 0; }
mv $said ${file}.kept
echo '${ended}' > ${file}.ended
[ "$(changed)" \\> '${ended}' ] || : > ${file}
tell
`;
}
