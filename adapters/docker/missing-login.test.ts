import { expect, it } from 'vitest';
import { missingLogin } from './missing-login.ts';

const MESSAGE = 'Head "http://10.0.0.9:5000/v2/team/web/manifests/1": no basic auth credentials';
const IMAGE = '10.0.0.9:5000/team/web:1';

it('says that a login is missing, for which registry, and what to do', () => {
  expect(missingLogin(IMAGE, { message: MESSAGE, wasGiven: false })).toBe(
    'the registry 10.0.0.9:5000 wants a login, and none is known: name a Secret with one in imagePullSecrets, or `docker login 10.0.0.9:5000` as the user whom Windlass runs as',
  );
});

it('says of one that was given that it is not taken', () => {
  expect(missingLogin(IMAGE, { message: MESSAGE, wasGiven: true })).toContain(
    'the registry 10.0.0.9:5000 does not take the login that it was given: name a Secret with the right one',
  );
});

it('leaves other words as they are', () => {
  expect(missingLogin(IMAGE, { message: 'connection refused', wasGiven: false })).toBeUndefined();
});
