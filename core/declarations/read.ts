import { z } from 'zod';
import { Cluster } from '#core/declarations/cluster.ts';
import { Pipeline } from '#core/declarations/pipeline.ts';
import type { Problem } from '#core/errors.ts';
import { suggestion } from '#core/suggest.ts';
import { parseYamlDocuments } from '#core/yaml-source.ts';
import type { YamlDocument } from '#core/yaml-source.ts';
import { checkDocument, problemAt } from '#core/zod-problems.ts';

export interface SourceFile {
  path: string;
  text: string;
}

/** A valid document and where it stands. */
export interface Declared<Value extends Pipeline | Cluster = Pipeline | Cluster> {
  value: Value;
  file: string;
  document: YamlDocument;
}

export interface DeclaredDocuments {
  pipelines: Declared<Pipeline>[];
  clusters: Declared<Cluster>[];
  problems: Problem[];
  /** Whether a document that could not be read may have been a Cluster: then references cannot be judged. */
  mayLackClusters: boolean;
}

/** Each document by itself, not yet held against the others. */
export function readDeclared(files: readonly SourceFile[]): DeclaredDocuments {
  const read: DeclaredDocuments = {
    pipelines: [],
    clusters: [],
    problems: [],
    mayLackClusters: false,
  };
  for (const { path, text } of files) {
    const { documents, problems } = parseYamlDocuments(path, text);
    read.problems.push(...problems);
    if (problems.length > 0) read.mayLackClusters = true;
    for (const document of documents) readDocument(document, path, read);
  }
  return read;
}

const KINDS = ['Pipeline', 'Cluster'];

function readDocument(document: YamlDocument, file: string, read: DeclaredDocuments): void {
  const header = checkHeader(document, file);
  if ('problems' in header) {
    read.problems.push(...header.problems);
    read.mayLackClusters = true;
  } else if (header.kind === 'Pipeline') {
    const checked = checkDocument(Pipeline, document, file);
    if ('value' in checked) read.pipelines.push({ ...checked, file, document });
    else {
      read.problems.push(...checked.problems);
    }
  } else {
    const checked = checkDocument(Cluster, document, file);
    if ('value' in checked) read.clusters.push({ ...checked, file, document });
    else {
      read.problems.push(...checked.problems);
      read.mayLackClusters = true;
    }
  }
}

const Header = z.looseObject({ apiVersion: z.string(), kind: z.string() });

function checkHeader(
  document: YamlDocument,
  file: string,
): { kind: string } | { problems: Problem[] } {
  const header = checkDocument(Header, document, file);
  if ('problems' in header) return header;
  const { apiVersion, kind } = header.value;
  if (apiVersion !== 'windlass.dev/v1') {
    const message = `unknown apiVersion ${apiVersion}, must be windlass.dev/v1`;
    const hint = apiVersion.startsWith('windlass')
      ? undefined
      : "Kubernetes manifests belong into the folder that a pipeline's deploy names";
    return { problems: [problemAt({ file, document, path: ['apiVersion'], message, hint })] };
  }
  if (!KINDS.includes(kind)) {
    const message = `unknown kind ${kind}, must be Pipeline or Cluster`;
    const hint = suggestion(kind, KINDS);
    return { problems: [problemAt({ file, document, path: ['kind'], message, hint })] };
  }
  return { kind };
}
