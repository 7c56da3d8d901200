// A finished build in a cache folder, on a machine whose GPU is not there: plain JavaScript under TensorFlow's name.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { nativeFolder, packageFolder, type NativeBuildName } from '../../src/native/recipe.ts';

const { resolve } = createRequire(import.meta.url);

export function writeFakeBuild(cacheDir: string, build: NativeBuildName, begins = ''): void {
  const folder = packageFolder(nativeFolder(cacheDir, build));
  const binding = join(folder, 'lib', 'napi-v8');
  mkdirSync(binding, { recursive: true });
  writeFileSync(join(binding, 'tfjs_binding.node'), '');
  const paths = ['core', 'backend-cpu'].map((name) => resolve(`@tensorflow/tfjs-${name}`));
  writeFileSync(
    join(folder, 'index.js'),
    `${begins}
    const tf = require(${JSON.stringify(paths[0])});
    require(${JSON.stringify(paths[1])});
    tf.backend().isUsingGpuDevice = false;
    module.exports = { ...tf, version: { 'tfjs-core': ${JSON.stringify(`of ${build}`)} } };`,
  );
}
