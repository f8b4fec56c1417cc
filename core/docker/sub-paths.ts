import { expandVariables } from '#core/docker/expand.ts';
import type { VolumeMount } from '#core/docker/kinds-volumes.ts';
import type { FieldPath } from '#core/field-path.ts';
import { suggestion } from '#core/suggest.ts';

type Says = Pick<VolumeMount, 'subPath' | 'subPathExpr'>;
type Variables = Readonly<Record<string, string>>;

/** Which part of its volume is mounted; nothing where it is all of it. */
export function subPathOf(
  { subPath, subPathExpr }: Says,
  variables: Variables,
): { subPath?: string } {
  const expanded = expandVariables(subPathExpr ?? '', variables) || (subPath ?? '');
  return expanded === '' ? {} : { subPath: expanded };
}

/** What `subPathExpr` says with the variables of its container, which the schema alone cannot tell. */
export function checkSubPaths(
  { volumeMounts }: { volumeMounts: readonly Says[] },
  variables: Variables,
  path: FieldPath,
  report: (path: FieldPath, message: string, hint?: string) => void,
): void {
  volumeMounts.forEach((mount, index) => {
    const problem = problemOf(mount.subPathExpr ?? '', variables);
    if (problem !== undefined)
      report([...path, 'volumeMounts', index, 'subPathExpr'], problem.message, problem.hint);
  });
}

function problemOf(
  text: string,
  variables: Variables,
): { message: string; hint?: string | undefined } | undefined {
  const names = [...text.matchAll(/\$\$|\$\(([^)]*)\)/g)].flatMap(([, name]) => name ?? []);
  const missing = names.find((name) => !Object.hasOwn(variables, name));
  if (missing !== undefined) {
    const hint = suggestion(missing, Object.keys(variables)) ?? 'add it to env';
    return { message: `the container has no variable ${missing}`, hint };
  }
  const expanded = expandVariables(text, variables);
  if (text !== '' && (expanded.startsWith('/') || expanded.split('/').includes('..')))
    return { message: `is ${expanded}: it must be relative and not contain '..'` };
  return undefined;
}
