/** Swarm reads `{{…}}` in variables, mounts and host names as templates of Go: what manifests say is text. */
export function literally(text: string): string {
  return text.replaceAll('{{', '{{"{{"}}');
}

/** Stands for the pod's name until the rest of a text is made literal. */
export const POD_NAME = 'windlass-dev-name-of-this-pod';
const TASK_NAME = '{{.Task.Name}}';

/** With the name of the task in place of the pod's. */
export function withTaskName(text: string): string {
  return literally(text).replaceAll(POD_NAME, TASK_NAME);
}
