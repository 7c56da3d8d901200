// What the chat template does to a conversation, and what is said when it refuses one.
import { describe, expect, it } from '@jest/globals';
import { KvShareError, toErrorBody } from '../../src/errors.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';
import { defaultSystemText, metadataOnly, tinyVocabulary } from '../support/tiny-vocabulary.ts';

function load(template: string | undefined) {
  const metadata = tinyVocabulary();
  if (template === undefined) metadata.delete('tokenizer.chat_template');
  else metadata.set('tokenizer.chat_template', template);
  return loadTokenizer(metadataOnly(metadata));
}

function thrown(action: () => unknown): KvShareError {
  try {
    action();
  } catch (error) {
    if (error instanceof KvShareError) return error;
  }
  throw new Error('expected a KvShareError');
}

const user = { role: 'user', content: 'secret words' };

describe('chat template', () => {
  const tiny = loadTokenizer(metadataOnly(tinyVocabulary()));

  it('puts the default system message in front, but not of another one', () => {
    const text = tiny.decode(tiny.encodeChat([user]).tokens);
    expect(text).toBe(`system\n${defaultSystemText}\nuser\nsecret words\nassistant\n`);
    const own = tiny.encodeChat([{ role: 'system', content: 'rules' }, user]).tokens;
    expect(tiny.decode(own)).toBe('system\nrules\nuser\nsecret words\nassistant\n');
  });

  it('knows the names of the first and last token', () => {
    const loaded = load("{{ bos_token + messages[0]['content'] + eos_token }}");
    const { tokens } = loaded.encodeChat([user]);
    expect([tokens[0], tokens.at(-1)]).toEqual([1, 2]);
  });

  it.each([
    ['raises', "{{ raise_exception('no ' + messages[0]['content']) }}"],
    ['fails', "{{ messages[0]['content'].nothing() }}"],
    ['is missing', undefined],
  ])('that %s is an invalid request without the prompt in it', (_name, template) => {
    const error = thrown(() => load(template).encodeChat([user]));
    expect(error.code).toBe('invalid_request');
    expect(JSON.stringify(toErrorBody(error))).not.toContain('secret');
  });

  it('that writes nothing gives an invalid request, and so does an empty prompt', () => {
    expect(thrown(() => load('').encodeChat([user])).code).toBe('invalid_request');
    expect(thrown(() => tiny.encodePrompt('')).code).toBe('invalid_request');
  });
});
