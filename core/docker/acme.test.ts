import { describe, expect, it } from 'vitest';
import { orderAt, ordersOf, retryAt } from '#core/docker/acme.ts';
import { Ingress } from '#core/docker/kinds-ingress.ts';
import type { AcmeCertificate, IssuedCertificate, LiveRecord } from '#core/docker/world.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const issuers = [{ name: 'public', server: 'https://acme.test/directory' }];
const order = { id: '1', issuer: 'public', hosts: ['a.test'] };

function at(certificate: AcmeCertificate): number | undefined {
  return orderAt(order, { issuers, thumbprint: 't', certificates: { '1': certificate } });
}

function issued(from: number, until: number, issuedAt = from): { issued: IssuedCertificate } {
  return { issued: { file: 'f', pem: '', from, until, issuedAt } };
}

describe('orderAt', () => {
  it.each<[string, AcmeCertificate, number | undefined]>([
    ['at once where there is none', {}, 0],
    ['at two thirds of its life', issued(0, 90 * HOUR_MS), 60 * HOUR_MS],
    [
      'not at once again where the clock is ahead of the authority',
      issued(0, 90 * HOUR_MS, 80 * HOUR_MS),
      110 * HOUR_MS,
    ],
    ['after a failure in its time', { failed: { times: 1, message: 'no', retryAt: 5 } }, 5],
    [
      'not sooner than it is due, whatever failed before',
      { ...issued(0, 9), failed: { times: 1, message: 'no', retryAt: 5 } },
      6,
    ],
    ['never while it is asked for', { ordering: true }, undefined],
  ])('%s', (_, certificate, expected) => {
    expect(at(certificate)).toBe(expected);
  });

  it('never where nobody knows whether there is one', () => {
    expect(orderAt(order, { issuers, thumbprint: 't', certificates: {} })).toBeUndefined();
  });
});

describe('retryAt', () => {
  const failure = { times: 1, refused: true, retryAfterMs: 0 };

  it('keeps within five refusals of a host in an hour, whatever happens', () => {
    let now = 0;
    const tries = Array.from({ length: 12 }, (_, index) => {
      now = retryAt({ ...failure, times: index + 1 }, now);
      return now;
    });
    const most = tries.map((end) => tries.filter((time) => time > end - HOUR_MS && time <= end));
    expect(Math.max(...most.map((within) => within.length))).toBeLessThan(5);
    expect(tries.slice(0, 3)).toEqual([MINUTE_MS, 6 * MINUTE_MS, 26 * MINUTE_MS]);
  });

  it('is soon where the server did not answer, and doubles to ten minutes', () => {
    const waits = [1, 2, 3, 20].map((times) => retryAt({ ...failure, times, refused: false }, 0));
    expect(waits).toEqual([10_000, 20_000, 40_000, 10 * MINUTE_MS]);
  });

  it('is not before the server wants it', () => {
    expect(retryAt({ ...failure, retryAfterMs: 2 * HOUR_MS }, 0)).toBe(2 * HOUR_MS);
  });
});

describe('ordersOf', () => {
  function ingress(name: string, secretName: string): Ingress {
    return Ingress.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, annotations: { 'cert-manager.io/cluster-issuer': 'public' } },
      spec: {
        defaultBackend: { service: { name: 'web', port: { number: 80 } } },
        tls: [{ hosts: ['a.test'], secretName }],
      },
    });
  }
  const recorded = ['one', 'other'].map((name) => ({
    ingress: ingress(name, 'tls'),
    recordedAt: 0,
  }));

  it('asks once for the same hosts', () => {
    expect(ordersOf(recorded, { issuers }, [])).toMatchObject([{ hosts: ['a.test'] }]);
  });

  it('asks for nothing where the Secret is among the manifests', () => {
    const resource = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls' } };
    const secret: LiveRecord = { key: 'Secret/default/tls', owner: 'o', resource, recordedAt: 0 };
    expect(ordersOf(recorded, { issuers }, [secret])).toEqual([]);
  });

  it('asks nobody whom the Cluster does not name', () => {
    expect(ordersOf(recorded, { issuers: [] }, [])).toEqual([]);
  });
});
