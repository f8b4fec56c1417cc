import { z } from 'zod';

/** A DNS label (RFC 1123), the form of every name here: it becomes part of paths, image names and URLs. */
export const Name = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower case letters, digits and inner hyphens');

/** A secret by reference, never by value: a file on the server, or a variable of its environment. */
export const SecretRef = z.union([
  z.strictObject({ file: z.string().min(1).describe('Path of a file on the server') }),
  z.strictObject({
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Name of a variable in the server's environment"),
  }),
]);
export type SecretRef = z.infer<typeof SecretRef>;

/** A path inside the checkout: relative, forward slashes, no way out of it. */
export const InsidePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.includes('\\') && !path.includes('\0'), {
    message: 'must be a relative path with forward slashes',
  });

export const Source = z.strictObject({
  url: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Git remote: https, ssh or file. Left out: the repository is pushed to Windlass itself',
    ),
  branches: z
    .array(z.string().min(1))
    .nonempty()
    .default(['main'])
    .describe('Branches whose pushes start a run'),
  credentials: z
    .union([
      z.strictObject({ username: z.string().default('windlass'), password: SecretRef }),
      z.strictObject({ sshKey: SecretRef, knownHosts: SecretRef }),
    ])
    .optional()
    .describe('How to read a private remote'),
  webhookSecret: SecretRef.optional().describe(
    'Shared secret with which the forge signs its webhooks',
  ),
});
export type Source = z.infer<typeof Source>;

export const Image = z.strictObject({
  name: Name.describe('What manifests say in `image:`'),
  context: InsidePath.default('.').describe(
    'Folder that is sent to the build, from the top of the repository',
  ),
  dockerfile: z
    .string()
    .min(1)
    .default('Dockerfile')
    .describe('Path of the Dockerfile, from the context'),
  target: z.string().min(1).optional().describe('Stage to build; the last one when left out'),
  test: z
    .string()
    .min(1)
    .optional()
    .describe('Stage that must build before the image is: its RUN lines are the tests'),
  args: z.record(z.string(), z.string()).default({}).describe('Build arguments'),
  repository: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Where to push, e.g. ghcr.io/team/web; the configured registry, pipeline and name when left out',
    ),
});
export type Image = z.infer<typeof Image>;

export const Deploy = z.strictObject({
  name: Name.optional().describe(
    "The entry's name and its release branch; the cluster's name when left out",
  ),
  cluster: Name,
  manifests: InsidePath.describe('Folder or file with manifests, from the top of the repository'),
  allowEmpty: z
    .boolean()
    .default(false)
    .describe('Whether no manifests at all means: delete everything'),
});
export type Deploy = z.infer<typeof Deploy>;

export const PipelineSpec = z.strictObject({
  source: Source.default({ branches: ['main'] }),
  images: z.array(Image).default([]),
  deploy: z.array(Deploy).default([]).describe('Carried out in order; a failure stops the rest'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(1_800)
    .describe('Deadline of clone, tests, builds and pushes together'),
});
export type PipelineSpec = z.infer<typeof PipelineSpec>;

export const Pipeline = z.strictObject({
  apiVersion: z.literal('windlass.dev/v1'),
  kind: z.literal('Pipeline'),
  metadata: z.strictObject({ name: Name }),
  spec: PipelineSpec,
});
export type Pipeline = z.infer<typeof Pipeline>;

/** The name of a deploy entry within its pipeline: its own, else its cluster's. */
export function entryName(deploy: Pick<Deploy, 'name' | 'cluster'>): string {
  return deploy.name ?? deploy.cluster;
}
