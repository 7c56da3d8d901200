// Graphs as functions of TensorFlow's eager runtime: what our addition to tfjs-node does, and that a model on a GPU runs
// so. Against single ops, on the native backend.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadBackend, type Backend } from '../../src/runner/backend/index.ts';
import { GraphTransformer, runsFunctions } from '../../src/runner/graph/index.ts';
import { loadFunction } from '../../src/runner/graph/load-function.ts';
import { Ops } from '../../src/runner/graph/ops.ts';
import { GraphBuilder } from '../../src/runner/graph/saved-model.ts';
import { loadModel } from '../../src/runner/load-model.ts';
import { Transformer } from '../../src/runner/model/transformer.ts';
import { cacheDir } from '../support/golden.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

type Add = (
  name: string,
  graph: Uint8Array,
  inputs: readonly string[],
  outputs: readonly string[],
) => void;

const backend: Backend = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });
const { tf } = backend;

/** x [2, -1] and y [-1, 3] → their product, and the product's square */
function productGraph(): GraphBuilder {
  const graph = new GraphBuilder().begin('product');
  const ops = new Ops(graph);
  const x = graph.input('x', 'float32', [2, -1]);
  const product = ops.matMul(x, graph.input('y', 'float32', [-1, 3]));
  graph.output('square', ops.unary('Square', product), 'float32', [2, 3]);
  graph.output('product', product, 'float32', [2, 3]);
  return graph;
}

it('is what our build of TensorFlow can run', () => {
  expect(runsFunctions(tf)).toBe(backend.description.includes('built here'));
});

if (!runsFunctions(tf)) {
  it.skip(`${backend.name} (${backend.description}) has no functions`, () => undefined);
} else {
  describe('a function', () => {
    const constant = new GraphBuilder().begin('zero');
    const node = constant.constant([0], [], 'float32');
    const zero = constant.encodeGraph().bytes;
    const { addFunction } = (tf.backend() as unknown as { binding: { addFunction: Add } }).binding;

    it('gives by name what single ops give, for every size, and keeps nothing', () => {
      const graph = loadFunction(tf, productGraph());
      const before = tf.memory().numTensors;
      for (const inner of [1, 4, 7]) {
        const x = tf.randomUniform([2, inner]);
        const y = tf.randomUniform([inner, 3]);
        const { product, square } = graph.predict({ y, x });
        const expected = tf.matMul(x, y);
        const squared = tf.square(expected);
        expect([...product!.dataSync()]).toEqual([...expected.dataSync()]);
        expect([...square!.dataSync()]).toEqual([...squared.dataSync()]);
        tf.dispose([x, y, product!, square!, expected, squared]);
      }
      expect(tf.memory().numTensors).toBe(before);
    });

    it('says which input is missing, and what TensorFlow says of inputs that do not fit', () => {
      const graph = loadFunction(tf, productGraph());
      const x = tf.zeros([2, 4]);
      expect(() => graph.predict({ x })).toThrow(/input y is missing/);
      const y = tf.zeros([5, 3]);
      const before = tf.memory().numTensors;
      expect(() => graph.predict({ x, y })).toThrow(/In\[0\]|incompatible/);
      expect(tf.memory().numTensors).toBe(before);
      tf.dispose([x, y]);
    });

    it.each<[string, Parameters<Add>, RegExp]>([
      ['bytes that are no graph', ['f', Uint8Array.of(255, 1, 2), [], []], /GraphDef/],
      ['an input that is not there', ['f', new Uint8Array(0), ['x:0'], []], /no x:0/],
      ['an output without its index', ['f', new Uint8Array(0), [], ['x']], /no x$/],
      ['an output that its node has not', ['f', zero, [], [`${node}:1`]], /no Const_0:1$/],
      ['an index that is no number', ['f', zero, [], [`${node}:`]], /no Const_0:$/],
    ])('is not made of %s', (_what, given, message) => {
      expect(() => addFunction(...given)).toThrow(message);
    });

    it('takes nothing but what it says', () => {
      const wrong = addFunction as unknown as (...given: unknown[]) => void;
      const bytes = new Uint8Array(0);
      for (const given of [[], ['f', 'bytes', [], []], ['f', new Float32Array(4), [], []]])
        expect(() => wrong(...given)).toThrow(/takes a name, a graph's bytes, inputs and outputs/);
      for (const given of [
        [1, bytes, [], []],
        ['f', bytes, 'x', []],
        ['f', bytes, [1], []],
      ])
        expect(() => wrong(...given)).toThrow();
    });

    it('is of one signature', () => {
      const graph = productGraph().begin('another');
      expect(() => graph.encodeGraph()).toThrow(/one signature/);
    });
  });

  describe('a model', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'kvshare-functions-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const input = {
      ids: Int32Array.of(3, 1, 4, 1),
      positions: Int32Array.of(0, 1, 2, 3),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 1,
    };
    const logitsOf = (model: Transformer, forward = model.forward.bind(model)): number[] => {
      const { kv, logits } = forward(input);
      const numbers = [...logits!.dataSync()];
      tf.dispose([kv.k, kv.v, logits!]);
      return numbers;
    };
    /** Largest difference from the same model op by op, as a share of the largest logit. */
    const gapOf = (model: Transformer): number => {
      const expected = logitsOf(model, (given) => Transformer.prototype.forward.call(model, given));
      const gaps = logitsOf(model).map((x, i) => Math.abs(x - expected[i]!));
      return Math.max(...gaps) / Math.max(...expected.map(Math.abs));
    };
    const load = async (
      precision: 'fp32' | 'bf16',
      { seed = 7, onGpu = false } = {},
    ): Promise<GraphTransformer> => {
      const modelPath = join(folder, `tiny-${seed}.gguf`);
      writeTinyFile(modelPath, 128, {}, seed);
      const given: Backend = onGpu
        ? { ...backend, name: 'tensorflow-gpu', hasOwnMemory: true }
        : backend;
      const model = await loadModel({ backend: given, modelPath, precision });
      if (!(model instanceof GraphTransformer)) throw new Error('it runs op by op');
      return model;
    };

    it('runs so where its tensors are in a memory of their own', async () => {
      const model = await load('fp32', { onGpu: true });
      expect(model.form).toBe('function');
      expect(gapOf(model)).toBeLessThan(1e-5);
    });

    it('runs so with matrices in bfloat16, and no model takes those of another', async () => {
      const first = await load('bf16');
      expect(first.form).toBe('function');
      // Two bytes a number: not the same, but near.
      const gap = gapOf(first);
      expect(gap > 1e-5 && gap < 0.05).toBe(true);
      const logits = logitsOf(first);
      const second = await load('bf16', { seed: 8 });
      expect(logitsOf(first)).toEqual(logits);
      expect(logitsOf(second)).not.toEqual(logits);
      expect(gapOf(second)).toBeLessThan(0.05);
    });
  });
}
