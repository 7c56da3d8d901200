// OpenAI request bodies → what we serve. Parameters that this runner cannot honour are refused by name
// instead of being ignored; unknown keys are ignored, as other servers do.
import { KvShareError } from '../errors.ts';
import type { ChatMessage } from '../tokenizer/index.ts';
import {
  flagField,
  integerField,
  numberField,
  objectField,
  textField,
  wrong,
  type Fields,
} from './fields.ts';

export interface CompletionRequest {
  readonly kind: 'chat' | 'text';
  readonly model: string;
  /** chat */
  readonly messages: readonly ChatMessage[];
  /** text: the prompt, or its token ids, which are taken as they are. */
  readonly prompt: string | readonly number[];
  /** Null = as much as fits. */
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  /** Null = drawn by the server. */
  readonly seed: number | null;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly user: string | null;
  readonly cacheSalt: string | null;
}

const DEFAULT_MAX_TOKENS = 256;
const MAX_STOPS = 4;

/** Values that ask for nothing, by parameter; anything else is refused. */
const unsupported: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: (v) => Array.isArray(v) && v.length === 0,
  functions: (v) => Array.isArray(v) && v.length === 0,
  tool_choice: (v) => v === 'none' || v === 'auto',
  function_call: (v) => v === 'none' || v === 'auto',
  n: (v) => v === 1,
  best_of: (v) => v === 1,
  logprobs: (v) => v === false,
  top_logprobs: (v) => v === 0,
  response_format: (v) => (v as Fields)['type'] === 'text',
  logit_bias: (v) => typeof v === 'object' && Object.keys(v!).length === 0,
  presence_penalty: (v) => v === 0,
  frequency_penalty: (v) => v === 0,
  echo: (v) => v === false,
  suffix: (v) => v === '',
  audio: () => false,
  modalities: (v) => Array.isArray(v) && v.every((item) => item === 'text'),
};

function refuseUnsupported(fields: Fields): void {
  for (const [name, asksNothing] of Object.entries(unsupported)) {
    const value = fields[name];
    if (value === undefined || value === null || asksNothing(value)) continue;
    throw new KvShareError('unsupported_parameter', `${name} is not supported here.`, name);
  }
}

function readContent(value: unknown, at: number): string {
  const param = `messages[${at}].content`;
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw wrong(param, 'must be a text or a list of text parts');
  return value
    .map((part: unknown) => {
      const fields = (typeof part === 'object' && part !== null ? part : {}) as Fields;
      if (fields['type'] !== 'text' && typeof fields['type'] === 'string') {
        throw new KvShareError('unsupported_content', `Only text parts are read here.`, param);
      }
      if (typeof fields['text'] !== 'string') throw wrong(param, 'has a part without text');
      return fields['text'];
    })
    .join('');
}

function readMessages(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw wrong('messages', 'must be a list with at least one message');
  }
  return value.map((item: unknown, at) => {
    const fields = (typeof item === 'object' && item !== null ? item : {}) as Fields;
    const role = fields['role'] === 'developer' ? 'system' : fields['role'];
    if (role !== 'system' && role !== 'user' && role !== 'assistant') {
      throw wrong(`messages[${at}].role`, 'must be system, developer, user or assistant');
    }
    return { role, content: readContent(fields['content'], at) };
  });
}

const isTokenId = (value: unknown): value is number => Number.isInteger(value);

function readPrompt(value: unknown): string | number[] {
  if (Array.isArray(value) && value.length > 0 && value.every(isTokenId)) return value;
  const [only, ...rest] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (typeof only === 'string' && only !== '' && rest.length === 0) return only;
  if (Array.isArray(value) && value.length > 0) {
    throw new KvShareError(
      'unsupported_parameter',
      'prompt: one text, or its token ids, is read here.',
      'prompt',
    );
  }
  throw wrong('prompt', 'must be a text');
}

function readStop(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const good = list.every((item) => typeof item === 'string' && item !== '');
  if (!good || list.length > MAX_STOPS) throw wrong('stop', 'must be one to four texts');
  return list as string[];
}

export function readCompletionRequest(kind: 'chat' | 'text', fields: Fields): CompletionRequest {
  const model = textField(fields, 'model');
  if (model === null || model === '') throw wrong('model', 'must be a text');
  refuseUnsupported(fields);
  const streamOptions = objectField(fields, 'stream_options') ?? {};
  const limit = [1, 2 ** 20] as const;
  const maxTokens = integerField(fields, 'max_tokens', DEFAULT_MAX_TOKENS, limit);
  const hasSeed = fields['seed'] !== undefined && fields['seed'] !== null;
  return {
    kind,
    model,
    messages: kind === 'chat' ? readMessages(fields['messages']) : [],
    prompt: kind === 'text' ? readPrompt(fields['prompt']) : '',
    maxTokens: integerField(fields, 'max_completion_tokens', maxTokens, limit),
    temperature: numberField(fields, 'temperature', 1, [0, 2]),
    topP: numberField(fields, 'top_p', 1, [1e-6, 1]),
    seed: hasSeed
      ? integerField(fields, 'seed', 0, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
      : null,
    stop: readStop(fields['stop']),
    stream: flagField(fields, 'stream'),
    includeUsage: flagField(streamOptions, 'include_usage'),
    user: textField(fields, 'user'),
    cacheSalt: textField(fields, 'cache_salt'),
  };
}
