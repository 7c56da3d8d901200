// Where a model's forward pass runs as a graph, and where it must not.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadBackend, type Backend } from '../../src/runner/backend/index.ts';
import { GraphTransformer } from '../../src/runner/graph/index.ts';
import { loadModel } from '../../src/runner/load-model.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

let folder: string;
let modelPath: string;
/** Computes as plain JavaScript does, but says that it is TensorFlow on a GPU. */
let onGpu: Backend;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-model-'));
  modelPath = join(folder, 'tiny.gguf');
  writeTinyFile(modelPath, 128);
  const cpu = await loadBackend({ requested: 'cpu', cacheDir: folder, allowBuild: false });
  onGpu = { ...cpu, name: 'tensorflow-gpu', description: 'a GPU', hasOwnMemory: true };
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadModel', () => {
  it('runs no SavedModel where tensors are in a memory of their own: it would copy them to and fro', async () => {
    const model = await loadModel({ backend: onGpu, modelPath, precision: 'fp32' });
    expect(model).not.toBeInstanceOf(GraphTransformer);
    const output = model.forward({
      ids: Int32Array.of(1, 2, 3),
      positions: Int32Array.of(0, 1, 2),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 1,
    });
    expect(output.logits!.shape).toEqual([1, model.config.vocabSize]);
  });

  it('says where bfloat16 can be had', async () => {
    const loading = loadModel({ backend: onGpu, modelPath, precision: 'bf16' });
    await expect(loading).rejects.toMatchObject({
      code: 'config_invalid',
      message:
        "--precision bf16 needs TensorFlow's own library on the CPU; this is tensorflow-gpu: a GPU.",
    });
  });
});
