import type Docker from 'dockerode';
import { callDocker, explainCut, isStatus, openStream } from '#adapters/docker/call.ts';
import type { RegistryAuth } from '#adapters/docker/credentials.ts';
import { createLineSplitter } from '#adapters/docker/demux.ts';
import { missingLogin } from '#adapters/docker/missing-login.ts';
import { UserError } from '#core/errors.ts';

/** A pull that says nothing for so long hangs. */
const SILENCE_MS = 120_000;

export async function hasImage(
  docker: Docker,
  image: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await callDocker(docker, { method: 'GET', path: `/images/${image}/json`, signal });
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

/** Pulls with the first login that the registry takes; without one where there are none. */
export async function pullWithAny(
  docker: Docker,
  image: string,
  logins: readonly RegistryAuth[],
  signal: AbortSignal,
): Promise<void> {
  const refused: string[] = [];
  for (const login of logins.length === 0 ? [undefined] : logins) {
    try {
      return await pullImage(docker, image, login, signal);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      signal.throwIfAborted();
      refused.push(error.message);
    }
  }
  throw new UserError('unavailable', [...new Set(refused)].join('; '), { transient: true });
}

/** Pulls an image. What the registry refuses is a UserError with its words. */
export async function pullImage(
  docker: Docker,
  image: string,
  auth: RegistryAuth | undefined,
  signal: AbortSignal,
): Promise<void> {
  const quiet = new AbortController();
  const timer = setTimeout(() => quiet.abort(), SILENCE_MS);
  const ends = AbortSignal.any([signal, quiet.signal]);
  try {
    const stream = await openStream(docker, {
      method: 'POST',
      path: '/images/create',
      query: { fromImage: image, ...(hasTag(image) ? {} : { tag: 'latest' }) },
      ...(auth === undefined ? {} : { auth }),
      timeoutMs: SILENCE_MS,
      signal: ends,
    });
    const lines = createLineSplitter();
    for await (const chunk of stream) {
      timer.refresh();
      for (const line of lines.feed(chunk as Buffer)) throwProblem(image, line, auth !== undefined);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (quiet.signal.aborted)
      throw new UserError('timeout', `pulling ${image} stood still`, { transient: true });
    throw error instanceof UserError
      ? error
      : refusal(image, explainCut(error), auth !== undefined);
  } finally {
    clearTimeout(timer);
  }
}

function throwProblem(image: string, line: string, wasGiven: boolean): void {
  if (line.trim() === '') return;
  const message = JSON.parse(line) as { error?: string };
  if (message.error !== undefined) throw refusal(image, new Error(message.error), wasGiven);
}

function refusal(image: string, error: unknown, wasGiven: boolean): UserError {
  const message = error instanceof Error ? error.message : String(error);
  const why = missingLogin(image, { message, wasGiven }) ?? message;
  return new UserError('unavailable', `cannot pull ${image}: ${why}`, {
    transient: true,
    cause: error,
  });
}

function hasTag(image: string): boolean {
  return image.includes('@') || image.slice(image.lastIndexOf('/') + 1).includes(':');
}
