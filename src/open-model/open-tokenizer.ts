import { openGguf } from '../gguf/index.ts';
import type { ResolvedModel } from '../model-files/index.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.ts';

/** The tokenizer that the model file carries. */
export async function openTokenizer({ path }: ResolvedModel): Promise<Tokenizer> {
  const file = await openGguf(path);
  try {
    return loadTokenizer(file);
  } finally {
    await file.close();
  }
}
