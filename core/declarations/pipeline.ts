import { z } from 'zod';
import { Window } from '#core/windows/window.ts';

/** A DNS label (RFC 1123), the form of every name here: it becomes part of paths, image names and URLs. */
export const Name = z
  .string()
  .max(63)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    'must be lower case letters, digits and inner hyphens, e.g. web-api',
  )
  .refine((name) => name !== 'constructor', 'is reserved');

const RESERVED_PIPELINES = new Set(['config', 'config-copy', 'releases']);

/** In the server's folder of repositories these are its own. */
const PipelineName = Name.refine(
  (name) => !RESERVED_PIPELINES.has(name),
  'is the name of a repository of the server itself',
);

/** A secret by reference, never by value: a file on the server, or a variable of its environment. */
export const SecretRef = z.union([
  z.strictObject({
    file: z
      .string()
      .min(1)
      .describe('Path of a file where it is used: on the server, or beside a worker'),
  }),
  z.strictObject({
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable, e.g. GIT_PASSWORD')
      .describe('Name of a variable in the environment there'),
  }),
]);
export type SecretRef = z.infer<typeof SecretRef>;

/** A path inside the checkout: relative, forward slashes, no way out of it. */
const InsidePath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.includes('\\') && !path.includes('\0'), {
    message: 'must be a relative path with forward slashes',
    abort: true,
  })
  .refine((path) => !path.split('/').includes('..'), {
    message: 'must stay inside the repository: .. is not allowed',
  });

const RemoteUrl = z
  .string()
  .min(1)
  .refine((url) => /^(https?|ssh|file):\/\/.|^\/.|^[\w.-]+@[\w.-]+:./.test(url), {
    message: 'must be a git remote, e.g. https://host/team/app.git or git@host:team/app.git',
    abort: true,
  })
  .refine((url) => !/^https?:\/\/[^/]*@/.test(url), {
    message: 'must not carry a user or password: put them in credentials, by reference',
  });

const Branch = z
  .string()
  .min(1)
  .refine((branch) => !/[*?[]/.test(branch), {
    message: 'must be a whole name: patterns are not supported',
    abort: true,
  })
  .refine((branch) => !/^[-/]|\.\.|[\s~^:\\\0]|@\{|\/$|\.lock$/.test(branch), {
    message: 'is not a name that git allows for a branch',
  });

/** A webhook that got lost is made up for within this time. */
const POLL_SECONDS = 300;

const Source = z
  .strictObject({
    url: RemoteUrl.optional().describe(
      'Git remote: https, ssh or file. Left out: the repository is pushed to Windlass itself',
    ),
    branches: z
      .array(Branch)
      .nonempty()
      .default(['main'])
      .describe('Branches whose pushes start a run'),
    credentials: z
      .union([
        z.strictObject({
          username: z.string().default('windlass').describe('User name for https'),
          password: SecretRef.describe('Password or token for https'),
        }),
        z.strictObject({
          sshKey: SecretRef.describe('Private key for ssh'),
          knownHosts: SecretRef.describe("Lines of known_hosts with the remote's host key"),
        }),
      ])
      .optional()
      .describe('How to read a private remote'),
    webhookSecret: SecretRef.optional().describe(
      'Shared secret with which the forge signs its webhooks',
    ),
    pollSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .optional()
      .describe(
        `How often the remote is asked for new commits, beside webhooks; ${POLL_SECONDS} when left out, 0 is never`,
      ),
  })
  .superRefine((source, context) => {
    if (source.url !== undefined) return;
    for (const key of ['credentials', 'webhookSecret', 'pollSeconds'] as const) {
      if (source[key] === undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'has no use without url' });
    }
  });

export const Image = z.strictObject({
  name: Name.describe('What manifests say in `image:`'),
  context: InsidePath.default('.').describe(
    'Folder that is sent to the build, from the top of the repository',
  ),
  dockerfile: z
    .string()
    .min(1)
    .refine((path) => !path.startsWith('/'), 'must be relative to the context')
    .default('Dockerfile')
    .describe('Path of the Dockerfile, from the context'),
  target: z.string().min(1).optional().describe('Stage to build; the last one when left out'),
  test: z
    .string()
    .min(1)
    .optional()
    .describe('Stage that must build before the image is: its RUN lines are the tests'),
  args: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a build argument'),
      z.string(),
    )
    .default({})
    .describe('Build arguments'),
  repository: z
    .string()
    .regex(
      /^[a-z0-9.-]+(:[0-9]+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/,
      'must be a repository without tag or digest, e.g. ghcr.io/team/web',
    )
    .optional()
    .describe(
      'Where to push, e.g. ghcr.io/team/web; the configured registry, pipeline and name when left out',
    ),
});
export type Image = z.infer<typeof Image>;

/** A release's name, of which Helm takes 53 characters. */
const LONGEST_RELEASE = 53;

export const Kustomize = z.strictObject({
  path: InsidePath.describe('Folder with the kustomization, from the top of the repository'),
  network: z
    .boolean()
    .default(false)
    .describe('Whether bases may be fetched from elsewhere; without it nothing leaves the machine'),
});
export type Kustomize = z.infer<typeof Kustomize>;

export const Helm = z.strictObject({
  chart: InsidePath.describe('Folder of the chart, or its .tgz, from the top of the repository'),
  release: Name.max(LONGEST_RELEASE)
    .optional()
    .describe("Name of Helm's release; the pipeline's name when left out"),
  namespace: Name.default('default').describe(
    'Where everything of the chart goes that names no namespace',
  ),
  valuesFiles: z
    .array(InsidePath)
    .default([])
    .describe('Files of values from the top of the repository; later ones go first'),
  values: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Values that go before those of all files'),
  hooks: z
    .boolean()
    .default(true)
    .describe("Whether the chart's hooks are taken; engine kubernetes alone runs them"),
  kubeVersion: z
    .string()
    .regex(/^v?1\.\d+(\.\d+)?$/, 'must be a version of Kubernetes, e.g. 1.36')
    .optional()
    .describe('What the chart is told is the version of the cluster; else what Helm takes for it'),
  apiVersions: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'What the chart is told that the cluster serves besides, e.g. monitoring.coreos.com/v1',
    ),
  network: z
    .boolean()
    .default(false)
    .describe('Whether charts that it depends on may be fetched; else they must be in charts/'),
});
export type Helm = z.infer<typeof Helm>;

export const Deploy = z.strictObject({
  name: Name.optional().describe(
    "The entry's name and its release branch; the cluster's name when left out",
  ),
  cluster: Name.describe('Name of the Cluster to deploy to'),
  manifests: InsidePath.optional().describe(
    'Folder or file with manifests, from the top of the repository; this, kustomize or helm',
  ),
  kustomize: Kustomize.optional().describe('A kustomization in the repository'),
  helm: Helm.optional().describe('A Helm chart in the repository'),
  windows: z
    .array(Window)
    .optional()
    .describe('When deploys may begin; what has begun goes on, and drift is put right always'),
  allowEmpty: z
    .boolean()
    .default(false)
    .describe('Whether no manifests at all means: delete everything'),
});
export type Deploy = z.infer<typeof Deploy>;

/** Who is told of failures and recoveries. */
export const Notify = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'must be an address with http or https' })
      .optional()
      .describe('Where notifications are posted to'),
    urlFrom: SecretRef.optional().describe('The same by reference, where the address is a secret'),
    secret: SecretRef.optional().describe(
      'Shared secret by which each is signed, as Standard Webhooks has it',
    ),
    format: z
      .enum(['windlass', 'slack', 'discord'])
      .default('windlass')
      .describe('All that is known as JSON, or one line as those chats take it'),
  })
  .superRefine(({ url, urlFrom }, context) => {
    if ((url === undefined) === (urlFrom === undefined))
      context.addIssue({ code: 'custom', message: 'must have either url or urlFrom' });
  });
export type Notify = z.infer<typeof Notify>;

export const Keep = z.strictObject({
  releases: z
    .int()
    .min(1)
    .max(1_000)
    .default(50)
    .describe('How many of the newest releases of each deploy entry keep their images'),
  runs: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe('How many of the newest runs stay with their logs, however old'),
  days: z
    .int()
    .min(0)
    .max(3_650)
    .default(30)
    .describe('For how many days all other runs stay with their logs, up to 1,000 in all'),
});
export type Keep = z.infer<typeof Keep>;

export const PipelineSpec = z.strictObject({
  source: Source.default({ branches: ['main'] }).describe('Where the code comes from'),
  images: z.array(Image).default([]).describe('Images to test, build and push'),
  deploy: z.array(Deploy).default([]).describe('Carried out in order; a failure stops the rest'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(1_800)
    .describe('Deadline of clone, tests, builds and pushes together'),
  keep: Keep.prefault({}).describe('What is kept for later, and for how long'),
  notify: z
    .array(Notify)
    .default([])
    .describe('Who is told of each failure, and once that all is well again'),
});
export type PipelineSpec = z.infer<typeof PipelineSpec>;

export const Pipeline = z
  .strictObject({
    apiVersion: z.literal('windlass.dev/v1').describe('Version of this format'),
    kind: z.literal('Pipeline').describe('What the document declares'),
    metadata: z
      .strictObject({
        name: PipelineName.describe('Name of the pipeline and of its repository on the server'),
      })
      .describe('How the document is called'),
    spec: PipelineSpec.describe('What the pipeline does'),
  })
  .describe('Where the source is, how it is tested, which images it builds and where they run');
export type Pipeline = z.infer<typeof Pipeline>;

/** How long between looks at the source's remote; absent where nobody looks. */
export function pollMsOf({
  url,
  pollSeconds = POLL_SECONDS,
}: PipelineSpec['source']): number | undefined {
  return url === undefined || pollSeconds === 0 ? undefined : pollSeconds * 1_000;
}

/** The name of a deploy entry within its pipeline: its own, else its cluster's. */
export function entryName(deploy: Pick<Deploy, 'name' | 'cluster'>): string {
  return deploy.name ?? deploy.cluster;
}
