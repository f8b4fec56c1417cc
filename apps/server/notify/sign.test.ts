import { expect, it } from 'vitest';
import { signingHeaders } from './sign.ts';

it('signs as the specification does', () => {
  // The example of its libraries' own tests.
  expect(
    signingHeaders(
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}', seconds: 1_614_265_330 },
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ),
  ).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

it('signs nothing without a secret', () => {
  expect(signingHeaders({ id: 'a', body: '{}', seconds: 1 }, undefined)).toEqual({
    'webhook-id': 'a',
    'webhook-timestamp': '1',
  });
});
