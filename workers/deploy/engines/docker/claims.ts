import { callDocker, DockerError, isStatus } from '#adapters/docker/call.ts';
import { runInContainer } from '#adapters/docker/exec.ts';
import type { LiveClaim, PodSpec, Provision } from '#core/docker/world.ts';
import { UserError } from '#core/errors.ts';
import type { DockerContext } from './context.ts';
import { agrees, LABEL, marks } from './marks.ts';
import { claimVolumeName } from './names.ts';
import { volumeFolder } from './pod-config.ts';
import { removeVolume, takenVolume, type ListedVolume } from './records.ts';
import { StepWaits } from './step-waits.ts';

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

/**
 * Makes its volume where it is not there yet. What is in it stays.
 *
 * @throws UserError `conflict` for what the volume driver does not do
 */
export async function ensureClaim(
  context: DockerContext,
  claim: Claim & { owner: string; provision: Provision },
  signal: AbortSignal,
): Promise<void> {
  const { driver, options, reclaim } = claim.provision;
  const made = await createVolume(
    context,
    {
      Name: claimVolumeName(context, claim),
      Driver: driver,
      DriverOpts: options,
      Labels: {
        ...claimMarks(context, claim),
        [LABEL.owner]: claim.owner,
        ...(reclaim === undefined ? {} : { [LABEL.reclaim]: reclaim }),
      },
    },
    signal,
  );
  if (!agrees(made.Labels, claimMarks(context, claim))) throw takenVolume(made.Name);
}

async function createVolume(
  { docker }: DockerContext,
  body: { Name: string; Driver: string } & Record<string, unknown>,
  signal: AbortSignal,
): Promise<ListedVolume> {
  try {
    const request = { method: 'POST', path: '/volumes/create', body, signal } as const;
    return await callDocker<ListedVolume>(docker, request);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    const message = `the volume driver ${body.Driver} made no volume: ${error.message}`;
    throw new UserError('conflict', message, {
      hint: "`docker plugin ls` tells drivers; options are the StorageClass's parameters",
      cause: error,
    });
  }
}

/** A pod waits for its volumes: Docker would make one that is not there, of whatever kind. */
export async function checkClaim(
  context: DockerContext,
  claim: Claim,
  signal: AbortSignal,
): Promise<void> {
  const name = claimVolumeName(context, claim);
  try {
    const path = `/volumes/${encodeURIComponent(name)}`;
    const found = await callDocker<ListedVolume>(context.docker, { method: 'GET', path, signal });
    if (!agrees(found.Labels, claimMarks(context, claim))) throw takenVolume(name);
  } catch (error) {
    if (isStatus(error, 404)) throw new StepWaits(`claim ${claim.name} has no volume yet`);
    throw error;
  }
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
    if (!isOurs || volume !== claimVolumeName(context, claim)) return [];
    const reclaim = labels[LABEL.reclaim];
    const isPolicy = reclaim === 'Retain' || reclaim === 'Delete';
    return [{ ...claim, ...(isPolicy ? { reclaim } : {}) }];
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
