// What rounding KV costs: the real model reads the end of a prompt over KV that went through each format, and is
// compared with itself over KV that did not. Texts from src/samples; the numbers stand in the README.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { patientCards, questions, wardGuidelines } from '../../../src/samples/index.ts';
import type { KvBlock } from '../../../src/runner/model/kv-block.ts';
import type { KvFormat } from '../../../src/runner/store/page-codec.ts';
import type { PageShape } from '../../../src/runner/store/packed-page.ts';
import { newPage } from '../../../src/runner/store/kv-page.ts';
import { packPage, toBlock, unpackPage } from '../../../src/runner/store/page-tensors.ts';
import { openGguf } from '../../../src/gguf/index.ts';
import { resolveModel } from '../../../src/model-files/index.ts';
import { loadTokenizer } from '../../../src/tokenizer/index.ts';
import { cacheDir, realModel } from '../../support/golden.ts';
import { divergence, softmax } from '../../support/quality-cases.ts';

const PROMPTS = 4;
/** Tokens that are read over rounded KV; each of them predicts the next. */
const ASKED = 40;

let real: Awaited<ReturnType<typeof realModel>>;
let prompts: Int32Array[];

beforeAll(async () => {
  real = await realModel('op by op');
  const file = await openGguf((await resolveModel({ cacheDir })).path);
  const tokenizer = loadTokenizer(file);
  await file.close();
  prompts = Array.from({ length: PROMPTS }, (_, i) => {
    const passages = wardGuidelines.slice(i, i + 3);
    const text = [patientCards[i], ...passages, questions[i]].join('\n\n');
    return tokenizer.encode(text, { special: false });
  });
}, 180_000);

const upTo = (start: number, end: number): Int32Array =>
  Int32Array.from({ length: end - start }, (_, i) => start + i);

/** Reads tokens [start, end) over KV of the ones before. */
const reading = (ids: Int32Array, start: number, past: KvBlock | null, logitRows: number) =>
  real.model.forward({
    ids: ids.slice(start),
    positions: upTo(start, ids.length),
    past,
    pastPositions: upTo(0, start),
    logitRows,
  });

/** Of the last tokens: what each of them says of the next. */
function predictions(ids: Int32Array, past: KvBlock): Float64Array[] {
  const output = reading(ids, ids.length - ASKED, past, ASKED);
  const logits = output.logits!.dataSync<'float32'>();
  real.tf.dispose([output.kv.k, output.kv.v, output.logits!]);
  const size = logits.length / ASKED;
  return Array.from({ length: ASKED }, (_, row) =>
    softmax(logits.slice(row * size, (row + 1) * size)),
  );
}

const best = (p: Float64Array): number => p.reduce((at, x, i) => (x > p[at]! ? i : at), 0);

async function rounded(block: KvBlock, format: KvFormat): Promise<KvBlock> {
  const [numLayers, numKvHeads, numTokens, headDim] = block.k.shape;
  const shape: PageShape = { numLayers, numKvHeads, numTokens, headDim };
  const page = newPage('scope', shape, 0);
  page.live = block;
  const packed = await packPage(real.tf, page, format);
  if (typeof packed === 'string') throw new Error(packed);
  return toBlock(real.tf, shape, await unpackPage(shape, packed));
}

describe('KV of the real model', () => {
  it.each([
    { format: 'fp32', meanKl: 0, top1: 1 },
    { format: 'bf16', meanKl: 2e-5, top1: 0.99 },
    { format: 'int8', meanKl: 3e-4, top1: 0.97 },
  ] as const)('in $format predicts what it did before', async ({ format, meanKl, top1 }) => {
    let sum = 0;
    let agreeing = 0;
    for (const ids of prompts) {
      const head = ids.slice(0, ids.length - ASKED);
      const { kv } = reading(head, 0, null, 0);
      const before = predictions(ids, kv);
      const through = await rounded(kv, format);
      predictions(ids, through).forEach((after, row) => {
        sum += divergence(before[row]!, after);
        if (best(before[row]!) === best(after)) agreeing++;
      });
      real.tf.dispose([kv.k, kv.v, through.k, through.v]);
    }
    const count = PROMPTS * ASKED;
    if (process.env['KVSHARE_FULL'] === '1') {
      process.stdout.write(`${format}: mean KL ${sum / count}, top-1 ${agreeing / count}\n`);
    }
    expect(sum / count).toBeLessThanOrEqual(meanKl);
    expect(agreeing / count).toBeGreaterThanOrEqual(top1);
  });
});
