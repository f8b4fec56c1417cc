import { open, readFile, rename } from 'node:fs/promises';
import type { z } from 'zod';
import { UserError } from '#core/errors.ts';

/** What the file holds; absent where there is none. `loss` says what removing it would lose. */
export async function readJsonFile<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  loss: string,
): Promise<z.infer<Schema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError('invalid-input', `${file} cannot be read as this version writes it`, {
      hint: `put it back from a backup; removing it forgets ${loss}`,
      cause: error,
    });
  }
}

/** On disk, and whole, when it resolves: a crash leaves the old content or the new. */
export async function writeJsonFile(file: string, content: unknown): Promise<void> {
  const part = `${file}.part`;
  const handle = await open(part, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, file);
}
