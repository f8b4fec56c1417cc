import { UserError } from '#core/errors.ts';
import { loginsAmong } from '#core/docker/pull-secrets.ts';
import type { Login } from '#core/docker/pull-secrets.ts';
import type { RenderedEntry } from '#core/release/release.ts';
import { imagesToResolve, renderManifests } from '#core/render.ts';
import type { Resource } from '#core/resources/resource.ts';
import type { Run } from '#core/run/run.ts';
import type { EntryManifests } from './manifests.ts';
import type { BuildContext } from './context.ts';
import type { DoStep } from './steps.ts';

interface Built {
  manifests: readonly EntryManifests[];
  /** Image name to reference. */
  images: Readonly<Record<string, string>>;
}

type OnLine = (line: string) => void;

/** Puts digests into the manifests and gives them to the server; with that the run is built. */
export function handOver(
  run: Run,
  { manifests, images }: Built,
  context: BuildContext,
  doStep: DoStep,
  signal: AbortSignal,
): Promise<void> {
  async function render(onLine: OnLine): Promise<{ value: undefined }> {
    const entries: RenderedEntry[] = [];
    for (const { entry, resources, notes } of manifests) {
      for (const note of notes) onLine(`${entry}: ${note}`);
      const names = imagesToResolve(resources);
      const references = await referencesFor(names, resources, images, context, onLine, signal);
      entries.push({ entry, manifests: renderManifests(resources, references) });
      onLine(`${entry}: ${resources.length} ${resources.length === 1 ? 'resource' : 'resources'}`);
    }
    await context.server.storeRendered(run.id, entries, signal);
    return { value: undefined };
  }
  return doStep('render', render, (at) => ({ kind: 'rendered', at }));
}

async function referencesFor(
  names: readonly string[],
  resources: readonly Resource[],
  images: Readonly<Record<string, string>>,
  context: BuildContext,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const found = await Promise.all(
    names.map(async (name) => {
      const reference = Object.hasOwn(images, name) ? images[name] : undefined;
      if (reference !== undefined) return [name, reference] as const;
      const image = { name, logins: loginsAmong(resources, name) };
      return [name, await resolveTag(image, Object.keys(images), context, onLine, signal)] as const;
    }),
  );
  return Object.fromEntries(found);
}

/** `name@digest` of a third-party image; the tag itself where only the engine here knows the image. */
async function resolveTag(
  { name: image, logins }: { name: string; logins: readonly Login[] },
  own: readonly string[],
  { engine, resolveDigest }: BuildContext,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<string> {
  try {
    const reference = `${withoutTag(image)}@${await resolveDigest(image, logins, signal)}`;
    onLine(`${image} is ${reference}`);
    return reference;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (!(await engine.has(image, signal))) throw unknownImage(image, own, error);
    onLine(`${image} stays a tag, it is in the local engine only: ${error.message}`);
    return image;
  }
}

function unknownImage(image: string, own: readonly string[], error: UserError): UserError {
  const hint = `this pipeline builds ${own.length === 0 ? 'no images' : own.join(', ')}`;
  const message = `the manifests name the image ${image}, which is not known: ${error.message}`;
  return new UserError(error.code, message, { transient: error.transient, hint, cause: error });
}

function withoutTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon === -1 ? image : image.slice(0, image.length - name.length + colon);
}
