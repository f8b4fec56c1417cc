import { LineCounter, parseAllDocuments } from 'yaml';
import type { Document } from 'yaml';
import type { Problem } from '#core/errors.ts';
import { displayText } from '#core/present/display.ts';
import { kubernetesTags } from '#core/yaml-kubernetes.ts';
import { offsetOf, writtenAt } from '#core/yaml-locate.ts';
import { anchorsOf, YamlMistake, valueOf } from '#core/yaml-value.ts';

export interface YamlDocument {
  value: unknown;
  /**
   * Where the path's last key or list item stands; where it is not there, its nearest parent that is. Lines and
   * columns count from 1.
   */
  locate(path: readonly (string | number)[]): { line: number; column: number };
  /** A number or a boolean as the text has it: `0644`, `yes`. Absent for anything else. */
  written(path: readonly (string | number)[]): string | undefined;
}

export const MAX_FILE_CHARACTERS = 2 * 1024 * 1024;
const MAX_DOCUMENTS = 1_000;
const TOO_DEEP = 'nested too deeply';
/** What is wrong with a text may hold much of it. */
const MESSAGE_CHARACTERS = 500;

/**
 * The documents of a YAML 1.2 text (core schema, and merge keys as kubectl takes them) with their places. Empty
 * documents are skipped; one with mistakes is left out and told in `problems`. Bounded in size, depth, documents
 * and what aliases expand to, so that untrusted text costs little. `kubernetes` reads numbers and booleans as Kubernetes
 * does.
 */
export function parseYamlDocuments(
  file: string,
  text: string,
  dialect: 'core' | 'kubernetes' = 'core',
): { documents: YamlDocument[]; problems: Problem[] } {
  if (text.length > MAX_FILE_CHARACTERS) {
    return refused(file, `the file is larger than ${MAX_FILE_CHARACTERS / 1024 / 1024} MiB`);
  }
  const lines = new LineCounter();
  const parsed = parseText(text, dialect, lines);
  if (parsed === 'too deep') return refused(file, TOO_DEEP);
  if (parsed.length > MAX_DOCUMENTS) {
    return refused(file, `the file has more than ${MAX_DOCUMENTS} documents`);
  }
  const documents: YamlDocument[] = [];
  const problems: Problem[] = [];
  for (const document of parsed) {
    const read = readDocument(document, lines);
    if ('mistakes' in read) problems.push(...read.mistakes.map((mistake) => at(file, mistake)));
    else if (read.value !== null) documents.push(read);
  }
  return { documents, problems };
}

/** The parser calls itself for each level of nesting, and does not always catch that it went too deep. */
function parseText(
  text: string,
  dialect: 'core' | 'kubernetes',
  lineCounter: LineCounter,
): readonly Document.Parsed[] | 'too deep' {
  try {
    const parsed = parseAllDocuments(text, {
      version: '1.2',
      schema: 'core',
      ...(dialect === 'kubernetes' ? { customTags: kubernetesTags } : {}),
      resolveKnownTags: false,
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter,
    });
    return Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    if (error instanceof RangeError) return 'too deep';
    throw error;
  }
}

interface Mistake {
  message: string;
  line: number;
  column: number;
}

/** The first mistake only: what follows a syntax error is mostly its echo. */
function readDocument(
  document: Document.Parsed,
  lines: LineCounter,
): YamlDocument | { mistakes: Mistake[] } {
  const [syntax] = [...document.errors, ...document.warnings];
  if (syntax !== undefined) {
    return { mistakes: [mistake(syntaxMessage(syntax.message), syntax.pos[0], lines)] };
  }
  try {
    const anchors = anchorsOf(document.contents);
    const value = valueOf(document, anchors);
    return {
      value,
      locate: (path) => position(offsetOf(document, path, anchors), lines),
      written: (path) => writtenAt(document, path, anchors),
    };
  } catch (error) {
    if (!(error instanceof YamlMistake)) throw error;
    const first =
      error.earlier === undefined ? '' : `, first on line ${position(error.earlier, lines).line}`;
    return { mistakes: [mistake(`${error.message}${first}`, error.offset, lines)] };
  }
}

function syntaxMessage(message: string): string {
  if (/stack/i.test(message)) return TOO_DEEP;
  const tag = /^Unresolved tag: (?:tag:yaml\.org,2002:)?(.*)$/.exec(message);
  return tag === null ? message : `the tag ${tag[1]} is not supported`;
}

function mistake(message: string, offset: number, lines: LineCounter): Mistake {
  return { message, ...position(offset, lines) };
}

function position(offset: number, lines: LineCounter): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function at(file: string, { message, line, column }: Mistake): Problem {
  return { file, line, column, path: '', message: displayText(message, MESSAGE_CHARACTERS) };
}

function refused(file: string, message: string): { documents: []; problems: Problem[] } {
  return { documents: [], problems: [at(file, { message, line: 1, column: 1 })] };
}
