// The model file's own chat template (Jinja). Renders text; knows nothing of tokens. What a template
// complains about may quote the prompt, so its words never leave this file.
import { Template } from '@huggingface/jinja';
import { KvShareError } from '../errors.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface TemplateMessage {
  readonly role: string;
  readonly content: string;
}

export type ChatTemplate = (
  messages: readonly TemplateMessage[],
  addGenerationPrompt: boolean,
) => string;

function parse(source: string): Template {
  try {
    return new Template(source);
  } catch {
    throw new KvShareError('model_invalid', "The model file's chat template cannot be parsed.");
  }
}

export function chatTemplate(vocabulary: Vocabulary): ChatTemplate {
  if (vocabulary.chatTemplate === null) {
    return () => {
      throw new KvShareError('invalid_request', 'This model has no chat template.', 'messages');
    };
  }
  const template = parse(vocabulary.chatTemplate);
  const bosToken = vocabulary.bosId === null ? '' : vocabulary.tokens[vocabulary.bosId];
  const eosToken = vocabulary.tokens[vocabulary.eosId];
  return (messages, addGenerationPrompt) => {
    try {
      return template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch {
      throw new KvShareError(
        'invalid_request',
        "The model's chat template does not accept these messages.",
        'messages',
      );
    }
  };
}
