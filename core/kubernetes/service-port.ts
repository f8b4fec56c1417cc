import { UserError } from '#core/errors.ts';
import type { LiveObject } from '#core/kubernetes/live-object.ts';
import { fieldsOf, listAt, numberAt, textAt } from '#core/kubernetes/status-fields.ts';

/**
 * Which pods a Service leads to, as a label selector.
 *
 * @throws UserError `invalid-input` where it has none
 */
export function podSelector(service: LiveObject): string {
  const selector = fieldsOf(fieldsOf(service['spec'])?.['selector']) ?? {};
  const terms = Object.entries(selector).map(([key, value]) => `${key}=${String(value)}`);
  if (terms.length > 0) return terms.join(',');
  throw new UserError('invalid-input', `Service ${service.metadata.name} selects no pods`, {
    hint: 'name a workload or a pod',
  });
}

/**
 * The port of the pod to which one of the Service leads.
 *
 * @throws UserError `invalid-input` where there is no such port
 */
export function podPort(service: LiveObject, port: number, pod: LiveObject): number {
  const ports = listAt(fieldsOf(service['spec']), 'ports');
  const found = ports.find(
    (each) => numberAt(each, 'port') === port && (textAt(each, 'protocol') || 'TCP') === 'TCP',
  );
  if (found === undefined)
    throw new UserError(
      'invalid-input',
      `Service ${service.metadata.name} has no TCP port ${port}`,
      {
        hint: `it has ${ports.map((each) => numberAt(each, 'port')).join(', ')}`,
      },
    );
  const name = textAt(found, 'targetPort');
  if (name === '') return numberAt(found, 'targetPort') ?? port;
  const named = listAt(fieldsOf(pod['spec']), 'containers')
    .flatMap((container) => listAt(container, 'ports'))
    .find((each) => each['name'] === name);
  const number = named === undefined ? undefined : numberAt(named, 'containerPort');
  if (number !== undefined) return number;
  throw new UserError(
    'invalid-input',
    `pod ${pod.metadata.name} has no port ${name}, to which Service ${service.metadata.name} leads`,
  );
}
