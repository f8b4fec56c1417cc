import type { Deploy, Helm, Kustomize } from '#core/declarations/pipeline.ts';

/** Where the manifests of a deploy entry come from. */
export type ManifestSource =
  | { kind: 'plain'; path: string }
  | { kind: 'kustomize'; path: string; kustomize: Kustomize }
  | { kind: 'helm'; path: string; helm: Helm };

/** `path` is what people know it by, from the top of the repository. */
export function manifestSource({ manifests, kustomize, helm }: Deploy): ManifestSource {
  if (helm !== undefined) return { kind: 'helm', path: helm.chart, helm };
  if (kustomize !== undefined) return { kind: 'kustomize', path: kustomize.path, kustomize };
  return { kind: 'plain', path: manifests ?? '.' };
}
