import { expect, it } from 'vitest';
import { createDirectAnswers } from './direct-answers.ts';

it('brings an answer to whoever asked, and says where there is none', () => {
  const answers = createDirectAnswers();
  const asked = answers.expect();
  expect(() => asked.body()).toThrow('the deploy worker brought no answer');
  answers.take(asked.id, { containers: [] });
  expect(asked.body()).toEqual({ containers: [] });
  asked.forget();
  expect(() => answers.take(asked.id, {})).toThrow('nobody waits for this answer');
});
