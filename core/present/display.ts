import type { ResourceKey } from '#core/resources/resource.ts';

const MAX_CHARACTERS = 200;

/** `Namespace/shop` of `Namespace//shop`; others as they are. */
export function displayKey(key: ResourceKey): string {
  return displayText(key.replace('//', '/'));
}

/**
 * On one line and of bounded length. Control characters are spelt out, since the text may come from a repository and
 * ends on a terminal.
 */
export function displayText(text: string, most = MAX_CHARACTERS): string {
  const short = text.length > most ? `${text.slice(0, most)}…` : text;
  return short.replace(/\p{Cc}/gu, spellOut);
}

/** The same for text of several lines, which are kept. */
export function displayLines(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.replace(/\p{Cc}/gu, spellOut));
}

const SPELLINGS = new Map([
  ['\n', String.raw`\n`],
  ['\r', String.raw`\r`],
  ['\t', String.raw`\t`],
]);

function spellOut(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
  return SPELLINGS.get(character) ?? `\\u${code}`;
}
