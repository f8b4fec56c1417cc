import type { BareRepository } from '#adapters/git/bare.ts';

const REFERENCE = /[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}/g;

/** Every image that the newest releases of the repository's entries name, also of entries that nobody declares any more. */
export async function releasedImages(
  repository: BareRepository,
  releases: number,
): Promise<string[]> {
  const texts = await releasedTexts(repository, releases);
  return [...new Set(texts.flatMap((text) => text.match(REFERENCE) ?? []))];
}

/** What was released: each file of it once. */
async function releasedTexts(repository: BareRepository, releases: number): Promise<string[]> {
  const entries = await repository.git(['for-each-ref', '--format=%(refname)', 'refs/heads/']);
  const files = new Set<string>();
  for (const entry of entries.split('\n').filter((each) => each !== '')) {
    const options = ['--objects', `--max-count=${releases}`];
    const objects = await repository.git(['rev-list', ...options, entry]);
    for (const line of objects.split('\n')) {
      // Releases have no folders: what has a name is a file.
      const [object = '', name = ''] = line.split(' ');
      if (name !== '') files.add(object);
    }
  }
  return repository.texts([...files]);
}
