import { readFile, writeFile } from 'node:fs/promises';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { parse } from 'yaml';
import { kubernetesYaml } from '#core/yaml-kubernetes.ts';
import { UserError } from '#core/errors.ts';

const MARK = 'age:';

type Manifests = Readonly<Record<string, string>>;
type Fields = Record<string, unknown>;

/** Seals the values of Secrets in manifests (path to YAML text), and opens them again. */
export interface Sealer {
  /** A value that `before` has sealed at the same path and key keeps its ciphertext; asked for only if there are Secrets. */
  seal(manifests: Manifests, before: () => Promise<Manifests>): Promise<Record<string, string>>;
  open(manifests: Manifests): Promise<Record<string, string>>;
}

/** Takes the key in `file`, which is made at the first time, for its owner's eyes only. */
export async function openSealer(file: string): Promise<Sealer> {
  const identity = await readKey(file);
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);

  async function decrypt(sealed: string): Promise<Buffer> {
    try {
      return Buffer.from(await decrypter.decrypt(Buffer.from(sealed.slice(MARK.length), 'base64')));
    } catch (error) {
      throw new UserError('invalid-input', 'a sealed value cannot be opened with this age key', {
        hint: `was ${file} replaced? put the key back that was there`,
        cause: error,
      });
    }
  }

  async function sealValue(value: Buffer, before: unknown): Promise<string> {
    if (isSealed(before)) {
      const old = await decrypt(before).catch(() => undefined);
      if (old?.equals(value) === true) return before;
    }
    return MARK + Buffer.from(await encrypter.encrypt(value)).toString('base64');
  }

  async function sealText(
    text: string,
    readBefore: () => Promise<string | undefined>,
  ): Promise<string> {
    const secret = readSecret(text);
    if (secret === undefined) return text;
    const before = await readBefore();
    const old = fieldsOf(before === undefined ? undefined : readSecret(before)?.['data']);
    const data: Fields = {};
    for (const [key, value] of Object.entries(clearValues(secret))) {
      data[key] = await sealValue(value, old[key]);
    }
    const { stringData: _, ...rest } = secret;
    return write({ ...rest, data });
  }

  async function openText(text: string): Promise<string> {
    const secret = readSecret(text);
    if (secret === undefined) return text;
    const data: Fields = {};
    for (const [key, value] of Object.entries(fieldsOf(secret['data']))) {
      data[key] = isSealed(value) ? (await decrypt(value)).toString('base64') : value;
    }
    return write({ ...secret, data });
  }

  return {
    seal: (manifests, readBefore) => {
      let before: Promise<Manifests> | undefined;
      return mapTexts(manifests, (text, path) =>
        sealText(text, async () => {
          before ??= readBefore();
          return (await before)[path];
        }),
      );
    },
    open: (manifests) => mapTexts(manifests, openText),
  };
}

async function readKey(file: string): Promise<string> {
  try {
    await writeFile(file, `${await generateX25519Identity()}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const key = (await readFile(file, 'utf8'))
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line.startsWith('AGE-SECRET-KEY-'));
  if (key !== undefined) return key;
  throw new UserError('invalid-input', `${file} has no age key`, {
    hint: 'put the key back; without it the Secrets of earlier releases are lost',
  });
}

async function mapTexts(
  manifests: Manifests,
  change: (text: string, path: string) => Promise<string>,
): Promise<Record<string, string>> {
  const changed: Record<string, string> = {};
  for (const [path, text] of Object.entries(manifests)) changed[path] = await change(text, path);
  return changed;
}

function clearValues(secret: Fields): Record<string, Buffer> {
  const data = Object.entries(fieldsOf(secret['data'])).map(
    ([key, value]) => [key, Buffer.from(String(value), 'base64')] as const,
  );
  const text = Object.entries(fieldsOf(secret['stringData'])).map(
    ([key, value]) => [key, Buffer.from(String(value), 'utf8')] as const,
  );
  return Object.fromEntries([...data, ...text]);
}

function readSecret(text: string): Fields | undefined {
  const fields = fieldsOf(parse(text));
  return fields['kind'] === 'Secret' ? fields : undefined;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

function isSealed(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(MARK);
}

function write(fields: Fields): string {
  return kubernetesYaml(fields);
}
