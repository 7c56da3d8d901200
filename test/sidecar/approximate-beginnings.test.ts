// A prompt that was put together from imported KV serves whoever begins with the same tokens under the same settings.
import { afterEach, expect, it } from '@jest/globals';
import { optionsOf } from '../../src/reuse/index.ts';
import { defaultReuse } from '../../src/routes/index.ts';
import { ask, bearer, serveTiny } from '../support/served.ts';
import { wardChat } from '../support/ward-chat.ts';

let served: Awaited<ReturnType<typeof serveTiny>> | null = null;
afterEach(async () => {
  await served?.close();
  served = null;
});

const reuse = { mergeGap: 4, minReuse: 0.1, fallbacks: false };

interface Reuse {
  readonly outcome: string;
  readonly exact_tokens: number;
  readonly imported_tokens: number;
  readonly recomputed_tokens: number;
}

const send = async (
  card: string,
  question: string,
  { user = 'ann', key = 'key-north', model = 'tiny' } = {},
): Promise<Reuse> => {
  const body = { ...wardChat(card, question), model, user };
  const answer = await ask(served!.url, '/v1/chat/completions', body, bearer(key));
  return answer.body.usage.prompt_tokens_details.kvshare;
};

/** Whose KV the plan for the same beginning takes beyond the exact prefix. */
async function donorsOf(model: string): Promise<Set<string>> {
  const body = { ...wardChat('Benjamin Beaumont', 'Who knows'), model };
  const { plan } = (await ask(served!.url, '/kvshare/plan', body, bearer('key-north'))).body;
  const imports = plan.imports as { segment: string; exact: boolean }[];
  return new Set(imports.flatMap(({ segment, exact }) => (exact ? [] : [segment])));
}

it('another user’s same beginning is gone on from: nothing but the question is computed', async () => {
  served = await serveTiny({ reuse, healing: false, random: () => 1 });
  await send('Ann', 'What now');
  const first = await send('Benjamin Beaumont', 'And then');
  expect(first.outcome).toBe('reused');
  const second = await send('Benjamin Beaumont', 'Who knows', { user: 'ben' });
  expect(second.outcome).toBe('reused');
  // Ben's card, which the first one computed over nothing but the exact prefix.
  expect(second.exact_tokens).toBeGreaterThan(first.exact_tokens);
  expect(second.recomputed_tokens).toBeLessThan(first.recomputed_tokens / 2);
  // A third one goes on from either, and nobody does without the tenant's key.
  const third = await send('Benjamin Beaumont', 'Tell me', { user: 'eva' });
  expect(third.recomputed_tokens).toBeLessThan(first.recomputed_tokens / 2);
  expect((await send('Benjamin Beaumont', 'Why', { key: 'key-south' })).outcome).toBe('cold');
  served.engine.store.checkIntegrity();
});

it('not by other settings: a careful route takes nothing that a careless one put together', async () => {
  const careless = { ...defaultReuse, options: { ...optionsOf('placeholder'), fallbacks: false } };
  served = await serveTiny({
    ...{ reuse, healing: false, random: () => 1 },
    routes: [{ name: 'careless', match: { model: 'default' }, reuse: careless }],
  });
  await send('Ann', 'What now', { model: 'default' });
  expect((await send('Benjamin Beaumont', 'And then', { model: 'default' })).outcome).toBe(
    'reused',
  );
  const careful = await donorsOf('tiny');
  const again = await donorsOf('default');
  expect(careful.size).toBe(1);
  // Ann's for both, and what stands on it where that is wanted.
  expect([...again].some((segment) => careful.has(segment))).toBe(false);
});
