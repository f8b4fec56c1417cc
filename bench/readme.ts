import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('README.md', import.meta.url));
const SOAK = '## Soak\n';

/** Puts the page in the place of the one before; what the soak wrote stays. */
export async function writeFigures(page: string): Promise<void> {
  const { soak } = await read();
  await write(page, soak);
}

export async function writeSoak(section: string): Promise<void> {
  const { figures } = await read();
  await write(figures, `${SOAK}\n${section}`);
}

async function read(): Promise<{ figures: string; soak: string }> {
  const text = await readFile(FILE, 'utf8');
  const at = text.indexOf(SOAK);
  return at < 0
    ? { figures: text, soak: '' }
    : { figures: text.slice(0, at), soak: text.slice(at) };
}

async function write(figures: string, soak: string): Promise<void> {
  const parts = [figures, soak].map((part) => part.trim()).filter((part) => part !== '');
  await writeFile(FILE, `${parts.join('\n\n')}\n`);
}
