// /v1/completions with token ids, as OpenAI's API has it and as one KVShare asks another.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ask, bearer, serveTiny, tinyTokenizer } from '../support/served.ts';

let served: Awaited<ReturnType<typeof serveTiny>>;
beforeAll(async () => {
  served = await serveTiny();
});
afterAll(() => served.close());

const complete = (prompt: unknown) =>
  ask(
    served.url,
    '/v1/completions',
    { model: 'tiny', prompt, max_tokens: 4, temperature: 0 },
    bearer('key-north'),
  );

it('answers token ids as it answers their text, and special tokens are what they are', async () => {
  const text = 'Wash hands. Then dry them.';
  const ids = Array.from(tinyTokenizer.encode(text, { special: false }));
  const [first, second] = [await complete(text), await complete(ids)];
  expect(second.body.choices).toEqual(first.body.choices);
  expect(second.body.usage).toMatchObject({
    prompt_tokens: ids.length,
    prompt_tokens_details: { cached_tokens: ids.length - 1 },
  });
  expect((await complete([1, ...ids])).body.usage.prompt_tokens).toBe(ids.length + 1);
});

it.each([[[288]], [[-1]], [[1.5]], [[1, 'a']], [[[1, 2]]], [[]]])('refuses %j', async (prompt) => {
  const { status, body } = await complete(prompt);
  expect(status).toBe(400);
  expect(body.error.param).toBe('prompt');
});
