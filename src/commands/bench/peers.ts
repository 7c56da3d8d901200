// `kvshare bench peers`.
import { availableParallelism } from 'node:os';
import { formatPeers, runPeers, ttftFamilies } from '../../bench/index.ts';
import { childEnvironment, prepareTensorflow, readSettings } from '../../config.ts';
import { openGguf, type GgufFile } from '../../gguf/index.ts';
import { timeBareProducts, type ModelSizes } from '../../runner/backend/index.ts';
import { suites } from '../catalog/index.ts';
import { provisionBackend, provisionModel, provisionTokenizer } from '../provision.ts';
import { llamaServerOf } from './llama-server.ts';
import { countOf, countsOf, defineSuite, listOf, withProgress } from './suite.ts';

/** Sizes of the products of one forward pass, from the file's own shapes. */
function sizesOf({ metadata, tensors }: GgufFile): ModelSizes {
  const count = (key: string): number => Number(metadata.get(`llama.${key}`));
  const matrices = [...tensors.values()].filter(({ shape }) => shape.length === 2);
  const sizes = ({ shape }: { shape: readonly number[] }): [number, number] => [
    shape[0]!,
    shape[1]!,
  ];
  const head = tensors.get('output.weight') ?? tensors.get('token_embd.weight')!;
  const [heads, kvHeads] = [count('attention.head_count'), count('attention.head_count_kv')];
  return {
    weights: matrices.filter(({ name }) => name.startsWith('blk.')).map(sizes),
    head: sizes(head),
    attention: {
      layers: count('block_count'),
      kvHeads,
      group: heads / kvHeads,
      headDim: count('embedding_length') / heads,
    },
  };
}

export const peers = defineSuite(suites.peers.flags, async (values) => {
  prepareTensorflow();
  const settings = readSettings(['--backend', values.backend]);
  const llamaServer = await llamaServerOf(values['llama-server'], settings.cacheDir);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const file = await openGguf(model.path);
  const sizes = sizesOf(file);
  await file.close();
  const report = await withProgress((onProgress) =>
    runPeers({
      llamaServer,
      modelPath: model.path,
      families: values.families
        ? listOf(values.families, ttftFamilies, '--families')
        : ttftFamilies,
      tokens: countsOf(values.tokens, '--tokens'),
      repeat: countOf(values.repeat, '--repeat'),
      threads: availableParallelism(),
      decodeTokens: countOf(values['decode-tokens'], '--decode-tokens'),
      cutTo: (text, tokens) =>
        tokenizer.decode(tokenizer.encodePrompt(text).tokens.subarray(0, tokens)),
      multiplyBare: async (rows) => {
        const { tf } = await provisionBackend(settings);
        return timeBareProducts(tf, sizes, { rows, repeat: 5 });
      },
      serveArgs: ['--backend', settings.backend, '--log-level', 'warn'],
      env: childEnvironment(),
      onProgress,
    }),
  );
  return { report, table: formatPeers(report) };
});
