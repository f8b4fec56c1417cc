import { decodeBase64 } from '#core/base64.ts';
import { issuerOf } from '#core/docker/acme.ts';
import { checkAnnotations, readAnnotations } from '#core/docker/ingress-annotations.ts';
import { parseUsers } from '#core/docker/ingress-users.ts';
import type { Secret } from '#core/docker/kinds.ts';
import type { Backend, Ingress } from '#core/docker/kinds-ingress.ts';
import type { Workloads } from '#core/docker/workloads.ts';
import type { FieldPath } from '#core/field-path.ts';
import { suggestion } from '#core/suggest.ts';

type Report = (path: FieldPath, message: string, hint?: string) => void;

/** What HAProxy's and JavaScript's regular expressions have in common, as far as paths need it. */
const REGEX = /^[\w\-./()|$*+?^[\]~%:\\{},@!=]*$/;
const LOOKS_REGULAR = /[()|*+?^$[\]{}\\]/;
const NOT_SHARED = /\\u|\[\]|\[\^\]/;

/** What of an Ingress the schema cannot tell. */
export function checkIngress(
  ingress: Ingress,
  { services, secrets }: Workloads,
  report: Report,
): void {
  const { metadata, spec } = ingress;
  for (const { name, message } of checkAnnotations(metadata.annotations))
    report(['metadata', 'annotations', name], message);
  const own = services.filter(
    (service) => (service.metadata.namespace ?? 'default') === (metadata.namespace ?? 'default'),
  );

  function checkBackend({ service: wanted }: Backend, path: FieldPath): void {
    // Of another release it may be: without it Kubernetes answers 503.
    const service = own.find((each) => each.metadata.name === wanted.name);
    if (service === undefined) return undefined;
    const { name, number } = wanted.port;
    if (service.spec.type === 'ExternalName')
      return report(
        [...path, 'service', 'name'],
        `Service ${wanted.name} is of type ExternalName: it has no pods that an Ingress could reach`,
      );
    if (service.spec.ports.some((port) => port.name === name || port.port === number))
      return undefined;
    const names = service.spec.ports.flatMap((port) => port.name ?? []);
    report(
      [...path, 'service', 'port', name === undefined ? 'number' : 'name'],
      `Service ${wanted.name} has no port ${name ?? number}`,
      name === undefined ? undefined : suggestion(name, names),
    );
    return undefined;
  }

  if (spec.defaultBackend !== undefined)
    checkBackend(spec.defaultBackend, ['spec', 'defaultBackend']);
  const annotations = readAnnotations(metadata.annotations);
  const users = annotations['auth-secret'];
  const secret = secrets.get(`${metadata.namespace ?? 'default'}/${users}`);
  if (users !== undefined && secret !== undefined) checkUsers(users, secret, report);
  spec.tls.forEach(({ secretName }, index) => {
    const data = secrets.get(`${metadata.namespace ?? 'default'}/${secretName}`)?.data;
    const lacking = ['tls.crt', 'tls.key'].find((key) => data !== undefined && !(key in data));
    if (lacking !== undefined)
      report(['spec', 'tls', index, 'secretName'], `Secret ${secretName} has no key ${lacking}`);
  });
  checkIssuer(ingress, report);
  const isRegex = annotations['use-regex'] === true || annotations['rewrite-target'] !== undefined;
  spec.rules.forEach(({ http }, rule) => {
    http?.paths.forEach(({ path, pathType, backend }, index) => {
      const at: FieldPath = ['spec', 'rules', rule, 'http', 'paths', index];
      checkBackend(backend, [...at, 'backend']);
      if (!isRegex) return;
      if (pathType !== 'ImplementationSpecific' && LOOKS_REGULAR.test(path))
        report([...at, 'pathType'], 'must be ImplementationSpecific for a regular expression');
      if (pathType === 'ImplementationSpecific' && !isExpression(path))
        report([...at, 'path'], 'is not a regular expression that the edge can have');
    });
  });
}

/** As cert-manager wants it, and as a host can be proved by HTTP. */
function checkIssuer(ingress: Ingress, report: Report): void {
  const annotation = issuerOf(ingress)?.annotation;
  if (annotation === undefined) return;
  const { tls } = ingress.spec;
  if (tls.length === 0)
    report(['metadata', 'annotations', annotation], 'means nothing without spec.tls');
  tls.forEach(({ hosts, secretName }, index) => {
    const at: FieldPath = ['spec', 'tls', index];
    if (secretName === undefined)
      report([...at, 'secretName'], 'must name the Secret that is for the certificate');
    if (hosts.length === 0)
      report([...at, 'hosts'], 'must name the hosts that the certificate is for');
    hosts.forEach((host, place) => {
      if (host.startsWith('*.'))
        report(
          [...at, 'hosts', place],
          'no certificate for a wildcard can be had, since hosts are proved by HTTP',
        );
    });
  });
}

function checkUsers(name: string, { data }: Secret, report: Report): void {
  const at: FieldPath = ['metadata', 'annotations', 'nginx.ingress.kubernetes.io/auth-secret'];
  if (data['auth'] === undefined) return report(at, `Secret ${name} has no key auth`);
  for (const user of parseUsers(decodeBase64(data['auth'])).wrong)
    report(
      at,
      `Secret ${name} has for ${user === '' ? 'a line' : user} no hash that the edge can check`,
      'openssl passwd -5 makes one',
    );
  return undefined;
}

function isExpression(path: string): boolean {
  if (!REGEX.test(path) || NOT_SHARED.test(path)) return false;
  try {
    return new RegExp(path) instanceof RegExp;
  } catch {
    return false;
  }
}
