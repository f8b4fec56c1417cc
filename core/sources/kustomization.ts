/** What a kustomization names that may be a folder, or elsewhere. */
const LISTS = ['resources', 'bases', 'components', 'generators', 'transformers', 'validators'];

export const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** The paths and addresses in a kustomization, with the field that each is in; what is written inline is left out. */
export function namedIn(kustomization: unknown): { field: string; entry: string }[] {
  if (typeof kustomization !== 'object' || kustomization === null) return [];
  const fields = kustomization as Readonly<Record<string, unknown>>;
  return LISTS.flatMap((list) => {
    const entries: unknown = fields[list];
    if (!Array.isArray(entries)) return [];
    return entries.flatMap((entry: unknown, index) =>
      typeof entry === 'string' && !entry.includes('\n')
        ? [{ field: `${list}[${index}]`, entry }]
        : [],
    );
  });
}

/** Whether it would have to be fetched, where no file is called so. */
export function isRemote(entry: string): boolean {
  return /^[\w+.-]+::|^[a-z][\w+.-]*:\/\/|^[\w.-]+@[\w.-]+:|^(github|gitlab)\.com[/:]|\?(ref|version)=|\.git(\/|$|\?)/.test(
    entry,
  );
}
