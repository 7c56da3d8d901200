// The model file: there, the right one, of a kind that is served, with a chat template that renders. Downloads nothing.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../config.ts';
import { openGguf, type GgufFile } from '../../gguf/index.ts';
import { pinnedModel } from '../../model-files/index.ts';
import { modelMemory, type ModelMemory } from '../../runner/memory-plan.ts';
import { sha256File } from '../../provisioning/index.ts';
import { loadTokenizer } from '../../tokenizer/index.ts';
import { findingsOf, type Finding } from './finding.ts';

export interface CheckedModel {
  readonly findings: readonly Finding[];
  /** Null where there is no model that can be served. */
  readonly memory: ModelMemory | null;
}

const model = findingsOf('model');
const template = findingsOf('chat-template');

const messageOf = (error: unknown): string => (error as Error).message;

function checkTemplate(file: GgufFile): Finding {
  try {
    const tokenizer = loadTokenizer(file);
    const { tokens } = tokenizer.encodeChat([{ role: 'user', content: 'Hello.' }]);
    return template.ok(`renders, ${tokens.length} tokens for "Hello."`);
  } catch (error) {
    const todo = 'use /v1/completions alone, or a GGUF file of an instruct model';
    return template.fail(messageOf(error), todo);
  }
}

/** What the runner refuses it says itself. */
function memoryOf(file: GgufFile): ModelMemory | null {
  try {
    return modelMemory(file);
  } catch {
    return null;
  }
}

async function checkContent(path: string, sha256: string): Promise<CheckedModel> {
  const file = await openGguf(path).catch((error: unknown) => messageOf(error));
  if (typeof file === 'string') {
    return { findings: [model.fail(`${path}: ${file}`, 'give a GGUF file')], memory: null };
  }
  try {
    const architecture = String(file.metadata.get('general.architecture'));
    const says = `${path}, ${architecture}, sha256 ${sha256.slice(0, 12)}…`;
    const served = architecture === 'llama';
    const found = served ? model.ok(says) : model.fail(says, 'give one of the llama architecture');
    return { findings: [found, checkTemplate(file)], memory: memoryOf(file) };
  } finally {
    await file.close();
  }
}

export async function checkModel({ modelPath, cacheDir }: Settings): Promise<CheckedModel> {
  const path = modelPath ?? join(cacheDir, 'models', pinnedModel.fileName);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) {
    const missing =
      modelPath === null
        ? model.warn('not downloaded yet', 'the first start does it (98 MB), or kvshare provision')
        : model.fail(`there is no file ${path}`, 'name another with --model FILE');
    return { findings: [missing], memory: null };
  }
  const sha256 = await sha256File(path);
  if (modelPath === null && sha256 !== pinnedModel.sha256) {
    const todo = 'the next start fetches it again, or kvshare provision';
    return { findings: [model.warn(`${path} is damaged (sha256 differs)`, todo)], memory: null };
  }
  return checkContent(path, sha256);
}
