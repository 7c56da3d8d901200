// Tokenizer metadata of a small byte-level BPE, as a GGUF file would carry it: SmolLM2's special tokens
// (same ids), chat template and pre-tokenizer, all 256 bytes, and a few merges. For tiny random models.
import type { GgufFile, GgufValue } from '../../src/gguf/index.ts';
import { byteCharacters } from '../../src/tokenizer/byte-level.ts';

export const tinySpecialTokens: readonly string[] = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<repo_name>',
  '<reponame>',
  '<file_sep>',
  '<filename>',
  '<gh_stars>',
  '<issue_start>',
  '<issue_comment>',
  '<issue_closed>',
  '<jupyter_start>',
  '<jupyter_text>',
  '<jupyter_code>',
  '<jupyter_output>',
  '<jupyter_script>',
  '<empty_output>',
];

export const defaultSystemText =
  'You are a helpful AI assistant named SmolLM, trained by Hugging Face';

export const tinyChatTemplate =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}" +
  `{{ '<|im_start|>system\n${defaultSystemText}<|im_end|>\n' }}{% endif %}` +
  "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const merges = [
  ['Ġ', 't'],
  ['h', 'e'],
  ['Ġt', 'he'],
  ['i', 'n'],
  ['e', 'r'],
  ['u', 's'],
  ['us', 'er'],
  ['Ġ', 'Ġ'],
  ['Ċ', 'Ċ'],
  ['Ġ', 'a'],
  ['Ġa', 'n'],
  ['Ġan', 'd'],
  ['a', 'n'],
  ['.', '.'],
  ['?', '!'],
];

/** 17 special tokens + 256 bytes + one token a merge = 288. */
export function tinyVocabulary(): Map<string, GgufValue> {
  const bytes = [...byteCharacters];
  const merged = merges.map((pair) => pair.join(''));
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'smollm'],
    ['tokenizer.ggml.tokens', [...tinySpecialTokens, ...bytes, ...merged]],
    [
      'tokenizer.ggml.token_type',
      [...tinySpecialTokens.map(() => 3), ...bytes.map(() => 1), ...merged.map(() => 1)],
    ],
    ['tokenizer.ggml.merges', merges.map((pair) => pair.join(' '))],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
    ['tokenizer.ggml.unknown_token_id', 0],
    ['tokenizer.chat_template', tinyChatTemplate],
  ]);
}

/** A GGUF file that holds only metadata. */
export function metadataOnly(metadata: ReadonlyMap<string, GgufValue>): GgufFile {
  return {
    path: 'tiny.gguf',
    metadata,
    tensors: new Map(),
    readTensor: (name) => Promise.reject(new Error(`no tensor ${name}`)),
    close: () => Promise.resolve(),
  };
}
