import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBare } from '#adapters/git/bare.ts';
import type { BareRepository } from '#adapters/git/bare.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';
import type { SourceFile } from '#core/declarations/read.ts';
import { messageOf, UserError } from '#core/errors.ts';

const SUFFIX = '.git';
const DECLARATION = 'windlass-pipeline.json';
const FILE_BYTES = 1_024 * 1_024;
const FILES = 1_000;

type Machine = Readonly<Record<string, string | undefined>>;

interface Declared {
  pipelines: Record<string, Pipeline>;
  problems: DeclarationProblem[];
}

interface DeclarationProblem {
  pipeline: string;
  message: string;
  /** Milliseconds since the epoch. */
  since: number;
}

/** The repositories that are pushed to this server, and what those that declare a pipeline themselves declare. */
export interface Repositories {
  open(name: string): BareRepository;
  /** `pipelines/*.yaml` of a commit; `environment` shows git objects that a push has not stored yet. */
  declaredFiles(
    name: string,
    commit: string,
    environment?: Readonly<Record<string, string>>,
  ): Promise<SourceFile[]>;
  pipelines(): Promise<Record<string, Pipeline>>;
  /** Pipelines whose repository declares what cannot be read here, as after a downgrade. */
  problems(): Promise<DeclarationProblem[]>;
  keepPipeline(pipeline: Pipeline): Promise<void>;
  /** What the repository declares counts no longer, until it is pushed to again. */
  forgetPipeline(name: string): Promise<void>;
  authorOf(name: string, commit: string): Promise<string | undefined>;
}

export function createRepositories(root: string, machine: Machine): Repositories {
  function open(name: string): BareRepository {
    return openBare(join(root, `${name}${SUFFIX}`), machine);
  }
  /** What was read last: only this server writes these files, and here. */
  let known: Promise<Declared> | undefined;

  async function readAll(): Promise<Declared> {
    const declared: Declared = { pipelines: {}, problems: [] };
    for (const name of (await readdir(root)).filter((each) => each.endsWith(SUFFIX))) {
      const file = join(root, name, DECLARATION);
      try {
        const pipeline = await readPipeline(file);
        if (pipeline !== undefined) declared.pipelines[pipeline.metadata.name] = pipeline;
      } catch (error) {
        const message = `${messageOf(error)} (push to it again)`;
        const pipeline = name.slice(0, -SUFFIX.length);
        declared.problems.push({ pipeline, message, since: (await stat(file)).mtimeMs });
      }
    }
    return declared;
  }

  function read(): Promise<Declared> {
    known ??= readAll().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  }

  return {
    open,
    declaredFiles: (name, commit, environment = {}) =>
      readDeclaredFiles(open(name), commit, environment),
    pipelines: async () => (await read()).pipelines,
    problems: async () => (await read()).problems,
    async keepPipeline(pipeline) {
      const file = join(open(pipeline.metadata.name).folder, DECLARATION);
      await writeFile(`${file}.part`, JSON.stringify(pipeline));
      await rename(`${file}.part`, file);
      known = undefined;
    },
    async forgetPipeline(name) {
      await rm(join(open(name).folder, DECLARATION), { force: true });
      known = undefined;
    },
    async authorOf(name, commit) {
      const repository = open(name);
      if (!(await repository.exists())) return undefined;
      return repository.git(['log', '-1', '--format=%an <%ae>', commit, '--']).then(
        (author) => author.trim(),
        () => undefined,
      );
    },
  };
}

/** `pipelines/*.yaml` of a commit in the repository. */
export async function readDeclaredFiles(
  repository: BareRepository,
  commit: string,
  environment: Readonly<Record<string, string>>,
): Promise<SourceFile[]> {
  const listing = await repository.git(['ls-tree', '-l', '-z', commit, '--', 'pipelines/'], {
    environment,
  });
  const found = yamlFiles(listing);
  for (const { path, size } of found) {
    if (size > FILE_BYTES)
      throw new UserError('invalid-input', `${path} is larger than 1 MiB, too large to declare`);
  }
  const texts = await repository.texts(
    found.map(({ object }) => object),
    environment,
  );
  return found.map(({ path }, index) => ({ path, text: texts[index] ?? '' }));
}

function yamlFiles(listing: string): { path: string; object: string; size: number }[] {
  const found = listing.split('\0').flatMap((line) => {
    const tab = line.indexOf('\t');
    const [mode = '', , object = '', size = ''] = line.slice(0, tab).split(/ +/);
    const path = line.slice(tab + 1);
    const isYaml = mode.startsWith('100') && /\.ya?ml$/.test(path);
    return isYaml ? [{ path, object, size: Number(size) }] : [];
  });
  if (found.length > FILES)
    throw new UserError('invalid-input', `pipelines/ has more than ${FILES} files`);
  return found;
}

/** Nothing where a repository declares nothing. */
async function readPipeline(file: string): Promise<Pipeline | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const { data, error } = Pipeline.safeParse(JSON.parse(text));
  if (data !== undefined) return data;
  throw new Error(
    error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  );
}
