import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Logger } from 'pino';
import type { ReadSecret } from '#adapters/secrets/read-secret.ts';
import type { Pipeline, SecretRef } from '#core/declarations/pipeline.ts';
import { messageOf, UserError } from '#core/errors.ts';
import type { KnownPipelines } from '../known-pipelines.ts';

/** How long it is, is no secret; what is in it is compared in the same time however much of it is right. */
const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

export interface SignatureDependencies {
  pipelines: KnownPipelines;
  readSecret: ReadSecret;
  log: Logger;
}

/** Who signed a body, as `sha256=` and the HMAC in hex. At least one pipeline; else the error is `unauthorized`. */
export interface Signer {
  /** Those of its pipelines whose source is at one of the addresses; at least one, or `unauthorized`. */
  pipelinesAt(urls: readonly string[]): Pipeline[];
}

export async function findSigner(
  body: Buffer,
  signature: string,
  dependencies: SignatureDependencies,
): Promise<Signer> {
  const signed = await signedPipelines(body, signature, dependencies);
  if (signed.length === 0) throw unauthorized();
  return {
    pipelinesAt(urls) {
      const places = [...new Set(urls.map(placeOf))];
      const found = signed.flatMap(({ byPlace }) =>
        places.flatMap((place) => byPlace.get(place) ?? []),
      );
      if (found.length > 0) return found;
      dependencies.log.warn(
        { pipelines: signed.flatMap(namesOf), repository: urls[0] },
        'a signed webhook names another repository than source.url: was it moved?',
      );
      throw unauthorized();
    },
  };
}

/** Pipelines with the secret by which the body is signed. */
async function signedPipelines(
  body: Buffer,
  signature: string,
  { pipelines, readSecret, log }: SignatureDependencies,
): Promise<SharedSecret[]> {
  const signed: SharedSecret[] = [];
  for (const shared of bySecret(await pipelines.all())) {
    try {
      if (await isSigned(body, signature, shared.secret, readSecret)) signed.push(shared);
    } catch (error) {
      log.warn(
        { pipelines: namesOf(shared), reason: messageOf(error) },
        'the webhook secret cannot be read',
      );
    }
  }
  return signed;
}

interface SharedSecret {
  secret: SecretRef;
  /** Pipelines by where their source is. */
  byPlace: Map<string, Pipeline[]>;
}

function namesOf({ byPlace }: SharedSecret): string[] {
  return [...byPlace.values()].flat().map(({ metadata }) => metadata.name);
}

const grouped = new WeakMap<object, readonly SharedSecret[]>();

/** Many pipelines mostly share few secrets: a body is hashed once with each. */
function bySecret(all: readonly { pipeline: Pipeline }[]): readonly SharedSecret[] {
  const known = grouped.get(all);
  if (known !== undefined) return known;
  const groups = new Map<string, SharedSecret>();
  for (const { pipeline } of all) {
    const { webhookSecret: secret, url } = pipeline.spec.source;
    if (secret === undefined || url === undefined) continue;
    const key = JSON.stringify(secret);
    const group = groups.get(key) ?? { secret, byPlace: new Map<string, Pipeline[]>() };
    const place = placeOf(url);
    group.byPlace.set(place, [...(group.byPlace.get(place) ?? []), pipeline]);
    groups.set(key, group);
  }
  const list = [...groups.values()];
  grouped.set(all, list);
  return list;
}

async function isSigned(
  body: Buffer,
  signature: string,
  reference: SecretRef,
  readSecret: ReadSecret,
): Promise<boolean> {
  const given = Buffer.from(SIGNATURE.exec(signature)?.[1] ?? '', 'hex');
  const secret = await readSecret(reference);
  const digest = createHmac('sha256', secret.reveal()).update(body).digest();
  return given.length === digest.length && timingSafeEqual(given, digest);
}

const PLACES_KEPT = 10_000;
const places = new Map<string, string>();

/** Host and path, however the remote is spelt: `https://host/a/b.git` and `git@host:a/b` are one place. */
function placeOf(url: string): string {
  const known = places.get(url);
  if (known !== undefined) return known;
  if (places.size >= PLACES_KEPT) places.clear();
  const place = url
    .replace(/^[a-z+]+:\/\//i, '')
    .replace(/^[^@/]*@/, '')
    .replace(/^([^:/]+):(?!\d+\/)/, '$1/')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
  places.set(url, place);
  return place;
}

function unauthorized(): UserError {
  return new UserError('unauthorized', 'the signature fits no pipeline with this repository', {
    hint: "the webhook's secret must be the one that webhookSecret of the pipeline names",
  });
}
