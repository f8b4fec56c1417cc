import { z } from 'zod';

/**
 * Manifests as they are kept: path in the release tree (e.g. `deployment_default_web.yaml`) to YAML text, one
 * resource a file, images as digests, every value of a Secret's `data` replaced by an age-encrypted one.
 */
export const SealedManifests = z.record(z.string(), z.string());
export type SealedManifests = z.infer<typeof SealedManifests>;

/** What the build worker sends to the server over HTTP: the same, with Secret values still in clear. */
export const RenderedEntry = z.strictObject({
  entry: z.string(),
  manifests: z.record(z.string(), z.string()),
});
export type RenderedEntry = z.infer<typeof RenderedEntry>;

/** A commit on a release branch. */
export interface Release {
  commit: string;
  pipeline: string;
  entry: string;
  /** Commit of the source it was rendered from. */
  source: string;
  subject: string;
  author: string;
  /** Milliseconds since the epoch. */
  at: number;
  runId?: string;
  /** Who pushed what led to it, as the token or forge names them. */
  pushedBy?: string;
  /** The earlier release whose tree this one brings back. */
  restores?: string;
  healthy: boolean;
}

/** The heads of deploy entries. */
export interface Heads {
  releases: Release[];
  /** Entries whose repository git cannot read, with what it says. */
  unreadable: { pipeline: string; entry: string; reason: string }[];
}
