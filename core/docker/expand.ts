/**
 * `$(NAME)` becomes the variable's value; one that is not there stays as written; `$$(NAME)` is the text `$(NAME)`.
 * The rules of Kubernetes' `command`, `args` and `env`.
 */
export function expandVariables(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) => {
    if (name === undefined) return '$';
    return Object.hasOwn(variables, name) ? (variables[name] ?? '') : match;
  });
}
