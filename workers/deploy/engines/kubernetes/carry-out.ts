import { ApiError } from '#adapters/kubernetes/api-error.ts';
import { applyObject, deleteObject } from '#adapters/kubernetes/objects.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { FIELD_MANAGER } from '#core/kubernetes/marks.ts';
import { refusedFields } from '#core/kubernetes/refusal.ts';
import type { Target } from '#core/kubernetes/target.ts';
import { displayKey } from '#core/present/display.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { KubernetesContext } from './context.ts';
import type { Prepared } from './look.ts';

const LONGEST_NAME = 63;

/**
 * Applies one object.
 *
 * @throws UserError that names it; values of a Secret are not in its message
 */
export async function applyTarget(
  { client }: KubernetesContext,
  { key, kind, ref }: Target,
  { resource, force }: Prepared,
  signal: AbortSignal,
): Promise<LiveObject | undefined> {
  if (kind === undefined) return undefined;
  try {
    const options = { fieldManager: FIELD_MANAGER, force };
    return (await applyObject(client, kind, resource, options, signal)).object;
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, key, ref.kind === 'Secret');
  }
}

/**
 * Deletes what is to be made anew: the next look finds it absent. The new one is shown to the API server first, under a
 * name that is free, so that nothing is deleted for what would not be taken.
 */
export async function deleteForReplacement(
  { client }: KubernetesContext,
  { key, kind, ref, resource }: Target,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  if (kind === undefined) return;
  try {
    const options = { fieldManager: FIELD_MANAGER, dryRun: true };
    await applyObject(client, kind, renamed(resource), options, signal);
    await deleteObject(client, kind, { ...ref, uid }, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, key, ref.kind === 'Secret');
  }
}

function renamed(resource: Resource): Resource {
  const { metadata } = resource;
  const name = `${metadata.name.slice(0, LONGEST_NAME - 4)}-new`;
  return { ...resource, metadata: { ...metadata, name } };
}

function explained(error: unknown, key: string, isSecret: boolean): UserError {
  const { code, transient } =
    error instanceof UserError ? error : { code: 'unavailable' as const, transient: false };
  const why = error instanceof ApiError ? refusedFields(error, isSecret) : messageOf(error);
  return new UserError(code, `${displayKey(key)}: ${why}`, { transient, cause: error });
}
