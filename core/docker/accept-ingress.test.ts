import { expect, it } from 'vitest';
import { acceptResources } from '#core/docker/accepts.ts';
import { formatProblem } from '#core/errors.ts';
import { parseManifests } from '#core/resources/parse.ts';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Secret
metadata: { name: users }
stringData: { auth: "ali:$apr1$abc$def" }
---`;

interface Told {
  annotations?: object;
  tls?: object[];
  path?: object;
  port?: object;
}

function problems({
  annotations = {},
  tls = [],
  path = {},
  port = { number: 80 },
}: Told): string[] {
  const ingress = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', annotations },
    spec: {
      tls,
      rules: [
        {
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: 'web', port } },
                ...path,
              },
            ],
          },
        },
      ],
    },
  };
  const text = `${SERVICE}\n${JSON.stringify(ingress)}`;
  return acceptResources(parseManifests([{ path: 'f.yaml', text }]))
    .map(formatProblem)
    .map((line) => line.replace(/^\S+ /, ''));
}

const ISSUER = 'cert-manager.io/cluster-issuer';
const NGINX = 'nginx.ingress.kubernetes.io/';
const AT = 'spec.rules[0].http.paths[0]';

it.each([
  { name: 'a plain one', given: {}, told: [] },
  { name: 'a port by name', given: { port: { name: 'http' } }, told: [] },
  {
    name: 'a port that the Service has not',
    given: { port: { name: 'htp' } },
    told: [`${AT}.backend.service.port.name: Service web has no port htp (did you mean http?)`],
  },
  {
    name: 'an annotation that is not honoured',
    given: { annotations: { [`${NGINX}server-snippet`]: 'return 200;' } },
    told: [
      `metadata.annotations["${NGINX}server-snippet"]: the docker engine does not honour this annotation`,
    ],
  },
  {
    name: 'an annotation with a value that is not possible',
    given: { annotations: { [`${NGINX}canary-weight`]: '101' } },
    told: [`metadata.annotations["${NGINX}canary-weight"]: must be from 0 to 100`],
  },
  {
    name: 'an annotation that means nothing alone',
    given: { annotations: { [`${NGINX}auth-secret`]: 'elsewhere' } },
    told: [`metadata.annotations["${NGINX}auth-secret"]: means nothing without ${NGINX}auth-type`],
  },
  {
    name: 'hashes that only Apache knows',
    given: { annotations: { [`${NGINX}auth-type`]: 'basic', [`${NGINX}auth-secret`]: 'users' } },
    told: [
      `metadata.annotations["${NGINX}auth-secret"]: Secret users has for ali no hash that the edge can check (openssl passwd -5 makes one)`,
    ],
  },
  {
    name: 'values that HAProxy could not have',
    given: {
      annotations: {
        [`${NGINX}whitelist-source-range`]: '10.0.0.0/8, here',
        [`${NGINX}permanent-redirect`]: 'https://a.test$args',
        [`${NGINX}app-root`]: "/a' b",
        [`${NGINX}enable-cors`]: 'true',
        [`${NGINX}cors-allow-origin`]: "https://a.test'",
      },
    },
    told: [
      `metadata.annotations["${NGINX}permanent-redirect"]: must be a URL, of nginx variables with $request_uri and $host only`,
      `metadata.annotations["${NGINX}app-root"]: must be a path`,
      `metadata.annotations["${NGINX}cors-allow-origin"]: must be origins such as https://a.test, with commas between, or *`,
      `metadata.annotations["${NGINX}whitelist-source-range"]: must be networks or addresses, with commas between`,
    ],
  },
  {
    name: 'a certificate that cannot be asked for',
    given: {
      annotations: { [ISSUER]: 'letsencrypt' },
      tls: [{}, { hosts: ['a.test', '*.a.test'], secretName: 'a' }],
    },
    told: [
      'spec.tls[0].secretName: must name the Secret that is for the certificate',
      'spec.tls[0].hosts: must name the hosts that the certificate is for',
      'spec.tls[1].hosts[1]: no certificate for a wildcard can be had, since hosts are proved by HTTP',
    ],
  },
  {
    name: 'an issuer for nothing',
    given: { annotations: { [ISSUER]: 'letsencrypt' } },
    told: [`metadata.annotations["${ISSUER}"]: means nothing without spec.tls`],
  },
  {
    name: "somebody else's annotation",
    given: { annotations: { 'example.com/team': 'shop' } },
    told: [],
  },
  {
    name: 'a regular expression as a prefix',
    given: {
      annotations: { [`${NGINX}rewrite-target`]: '/$2' },
      path: { path: '/api(/|$)(.*)' },
    },
    told: [`${AT}.pathType: must be ImplementationSpecific for a regular expression`],
  },
  {
    name: 'a path that would end the quotes of HAProxy',
    given: { path: { path: "/a'b" } },
    told: [`${AT}.path: must begin with / and hold neither spaces nor '`],
  },
])('tells of $name', ({ given, told }) => {
  expect(problems(given)).toEqual(told);
});
