/** A text with manifests, and what it is called where something is wrong with it. */
export interface RenderedFile {
  path: string;
  text: string;
}

const SEPARATOR = /^---[ \t]*$/m;
const SOURCE = /^# Source: (.+)$/m;

/** What `kustomize build` printed, a document each: it does not say which file one is from. */
export function kustomizeFiles(folder: string, printed: string): RenderedFile[] {
  return documentsOf(printed).map((text, index) => ({
    path: `${folder} (document ${index + 1} as rendered)`,
    text,
  }));
}

/**
 * What `helm template` printed, by the template that each document is from. Text of a template that is before its first
 * document stays with it.
 */
export function helmFiles(printed: string): RenderedFile[] {
  const found = new Map<string, string[]>();
  for (const text of documentsOf(withoutNews(printed))) {
    const source = SOURCE.exec(text)?.[1] ?? 'the chart';
    found.set(source, [...(found.get(source) ?? []), text]);
  }
  return [...found].map(([source, texts]) => ({
    path: `${source} (as rendered)`,
    text: texts.join('---\n'),
  }));
}

/** Helm tells of the dependencies that it fetches where manifests are to come, before the first. */
function withoutNews(printed: string): string {
  const first = printed.search(SEPARATOR);
  return first > 0 && !SOURCE.test(printed.slice(0, first)) ? printed.slice(first) : printed;
}

function documentsOf(printed: string): string[] {
  return printed
    .split(SEPARATOR)
    .map((text) => text.replace(/^\n/, ''))
    .filter((text) => text.trim() !== '');
}
