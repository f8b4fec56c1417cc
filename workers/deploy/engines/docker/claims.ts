import { callDocker, isStatus } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { LiveClaim, PodSpec } from '#core/docker/world.ts';
import type { DockerContext } from './context.ts';
import { agrees, LABEL, marks } from './marks.ts';
import { claimVolumeName } from './names.ts';
import { volumeFolder } from './pod-config.ts';
import { removeVolume, takenVolume, type ListedVolume } from './records.ts';

interface Claim {
  name: string;
  namespace: string;
}

/** One that is empty is for whoever runs first, as provisioners make them; a group's is the group's, as the kubelet does it. */
const OWN_SCRIPT = `
[ -n "$(ls -A "$1")" ] || chmod 0777 "$1"
[ -n "$2" ] || exit 0
if [ "$3" = mismatch ] && [ "$(stat -c %g "$1")" = "$2" ] && [ -g "$1" ]; then exit 0; fi
chgrp -R "$2" "$1" && chmod -R g+rwX "$1" && find "$1" -type d -exec chmod g+s {} +
`;

/** Makes its volume where it is not there yet. What is in it stays. */
export async function ensureClaim(
  context: DockerContext,
  claim: Claim & { owner: string },
  signal: AbortSignal,
): Promise<void> {
  const made = await callDocker<ListedVolume>(context.docker, {
    method: 'POST',
    path: '/volumes/create',
    body: {
      Name: claimVolumeName(context, claim),
      Driver: 'local',
      Labels: { ...claimMarks(context, claim), [LABEL.owner]: claim.owner },
    },
    signal,
  });
  if (!agrees(made.Labels, claimMarks(context, claim))) throw takenVolume(made.Name);
}

/** With what is in it; false while a pod has it. */
export async function removeClaim(
  context: DockerContext,
  claim: Claim,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await removeVolume(context, claimVolumeName(context, claim), signal);
    return true;
  } catch (error) {
    if (isStatus(error, 409)) return false;
    throw error;
  }
}

export function readClaims(context: DockerContext, volumes: readonly ListedVolume[]): LiveClaim[] {
  return volumes.flatMap(({ Name: volume, Labels }) => {
    const labels = Labels ?? {};
    const claim = {
      name: labels[LABEL.claim] ?? '',
      namespace: labels[LABEL.namespace] ?? '',
      owner: labels[LABEL.owner] ?? '',
      volume,
    };
    const isOurs = agrees(labels, claimMarks(context, claim));
    return isOurs && volume === claimVolumeName(context, claim) ? [claim] : [];
  });
}

/** Before the first container of a pod starts, which waits for it. */
export async function ownClaims(
  context: DockerContext,
  pod: PodSpec,
  sandboxId: string,
  signal: AbortSignal,
): Promise<void> {
  const group = pod.fsGroup === undefined ? '' : String(pod.fsGroup);
  const when = pod.fsGroupOnMismatch === true ? 'mismatch' : 'always';
  for (const volume of pod.volumes) {
    if (volume.kind !== 'claim' || volume.readOnly) continue;
    const command = ['sh', '-c', OWN_SCRIPT, 'sh', volumeFolder(volume), group, when];
    const done = await runInContainer(context.docker, { container: sandboxId, command }, signal);
    if (done.exitCode !== 0)
      throw new Error(
        `the volume of claim ${volume.claim} could not be given to its group: ${done.stderr.trim()}`,
      );
  }
}

function claimMarks(context: DockerContext, { name, namespace }: Claim): Record<string, string> {
  return {
    ...marks(context, 'claim'),
    [LABEL.namespace]: namespace,
    [LABEL.claim]: name,
  };
}
