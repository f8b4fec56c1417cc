import { describe, expect, it } from 'vitest';
import { loopbackHint } from './loopback-registry.ts';

describe('what is told of a registry that cannot be reached', () => {
  it.each([
    ['127.0.0.1:4381/shop/web@sha256:0a', true],
    ['localhost:5000/web:1', true],
    ['localhost/web:1', true],
    ['registry.example.com/web:1', false],
    ['127.example.com/web:1', false],
    ['busybox:1.36', false],
  ])('with %s on another machine says that it is not this one: %s', (image, isTold) => {
    expect(loopbackHint(image, true) !== '').toBe(isTold);
    expect(loopbackHint(image, false)).toBe('');
  });
});
