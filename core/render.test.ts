import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { imagesToResolve, KEEP_TAGS_ANNOTATION, renderManifests } from '#core/render.ts';
import type { Resource } from '#core/resources/resource.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function deployment(images: readonly string[], annotations: Record<string, string> = {}): Resource {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', annotations },
    spec: {
      replicas: 2,
      template: {
        spec: {
          initContainers: [{ name: 'init', image: 'busybox:1.36' }],
          containers: images.map((image, index) => ({ name: `c${index}`, image })),
        },
      },
    },
  };
}

const config: Resource = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'web', namespace: 'shop' },
  data: { long: `${'word '.repeat(40)}`, image: 'web' },
};

describe('imagesToResolve', () => {
  it('names each image once and none that is a digest', () => {
    const resources = [deployment(['web', `redis@${DIGEST}`, 'web']), config];
    expect(imagesToResolve(resources)).toEqual(['busybox:1.36', 'web']);
  });

  it('leaves out what is to stay a tag', () => {
    expect(imagesToResolve([deployment(['web'], { [KEEP_TAGS_ANNOTATION]: 'true' })])).toEqual([]);
  });
});

describe('renderManifests', () => {
  it('replaces images of containers only, and changes nothing else', () => {
    const references = { web: `r/web@${DIGEST}`, 'busybox:1.36': `busybox@${DIGEST}` };
    const resource = deployment(['web', 'other:1']);
    const files = renderManifests([resource, config], references);
    expect(Object.keys(files)).toEqual(['deployment_default_web.yaml', 'configmap_shop_web.yaml']);
    const expected = deployment([`r/web@${DIGEST}`, 'other:1']);
    const text = files['deployment_default_web.yaml'] ?? '';
    expect(text).toContain(`image: busybox@${DIGEST}`);
    expect(parse(text.replace(`busybox@${DIGEST}`, 'busybox:1.36'))).toEqual(expected);
    expect(parse(files['configmap_shop_web.yaml'] ?? '')).toEqual(config);
  });

  it('names what lives in no namespace', () => {
    const shop: Resource = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    expect(Object.keys(renderManifests([shop], {}))).toEqual(['namespace_shop.yaml']);
  });

  it('takes no inherited name for a reference', () => {
    const [text] = Object.values(renderManifests([deployment(['constructor'])], {}));
    expect(text).toContain('image: constructor');
  });
});
