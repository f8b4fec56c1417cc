/** A commit message whose last paragraph is its trailers; each part is held to one line. */
export function releaseMessage(
  subject: string,
  trailers: Readonly<Record<string, string | undefined>>,
): string {
  const lines = Object.entries(trailers).flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [`${key}: ${oneLine(value)}`],
  );
  return `${oneLine(subject) || 'Release'}\n\n${lines.join('\n')}\n`;
}

/** `Name <address>` in the parts that git wants; what names no address gets one. */
export function authorParts(author: string): { name: string; email: string } {
  const found = /^(.*?)\s*<([^<>]*)>$/.exec(oneLine(author));
  const name = (found?.[1] ?? oneLine(author)).replace(/[<>]/g, '').trim();
  return { name: name === '' ? 'Windlass' : name, email: found?.[2] ?? 'windlass@localhost' };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
