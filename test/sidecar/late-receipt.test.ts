// A runner that learns only at the end what was reused: another framework, which says so in its usage.
import { afterEach, expect, it } from '@jest/globals';
import { ask, bearer, serveSidecar } from '../support/served.ts';
import { receiptOf, ScriptedRunner } from '../support/scripted-runner.ts';

let close: () => Promise<void>;
afterEach(() => close());

const body = { model: 'default', prompt: 'Is it ready?', max_tokens: 3 };
const USAGE = { exactTokens: 7, recomputedTokens: 5 };

async function serve(isKnownAtEnd: boolean) {
  const runner = new ScriptedRunner();
  runner.script = async function* (request) {
    yield { type: 'receipt', receipt: receiptOf(request, { unreported: true }) };
    for (const id of [60, 61, 62]) yield { type: 'token', id };
    if (isKnownAtEnd) yield { type: 'receipt', receipt: receiptOf(request, USAGE) };
    yield { type: 'end', reason: 'length', completionTokens: 2 };
  };
  const { sidecar, url } = await serveSidecar(runner);
  close = () => sidecar.close();
  return url;
}

it('counts what the last receipt says, and the tokens that were generated', async () => {
  const url = await serve(true);
  const whole = await ask(url, '/v1/completions', body, bearer('key-north'));
  expect(whole.body.usage).toMatchObject({
    completion_tokens: 2,
    prompt_tokens_details: { cached_tokens: 7, kvshare: { outcome: 'exact' } },
  });
  expect(whole.body.usage.prompt_tokens_details.kvshare.unreported).toBeUndefined();
  expect(whole.headers.get('x-kvshare-exact-tokens')).toBe('7');

  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer('key-north') },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
  });
  // A stream begins before anybody knows.
  expect(response.headers.get('x-kvshare-outcome')).toBeNull();
  const events = (await response.text()).split('\n\n').filter((line) => line.startsWith('data: {'));
  const usage = events.map((line) => JSON.parse(line.slice(6)).usage).at(-1);
  expect(usage.prompt_tokens_details).toMatchObject({ cached_tokens: 7 });
  expect(usage.completion_tokens).toBe(2);
});

it('says that it does not know what nobody told it', async () => {
  const whole = await ask(await serve(false), '/v1/completions', body, bearer('key-north'));
  expect(whole.headers.get('x-kvshare-exact-tokens')).toBeNull();
  expect(whole.body.usage.prompt_tokens_details).toMatchObject({
    cached_tokens: 0,
    kvshare: { unreported: true },
  });
});
