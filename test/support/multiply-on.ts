// Run as a script, `multiply-on.ts NAME CACHE-DIR [cpu]`: loads that backend, on the CPU for want of a GPU where that is
// said, and prints what it is and a product. Outside Jest, whose
// vm context breaks WebAssembly threads.
import { loadBackend, backendRequests } from '../../src/runner/backend/index.ts';

const [, , name, cacheDir, without] = process.argv;
const { tf, ...chosen } = await loadBackend({
  requested: backendRequests.find((known) => known === name)!,
  cacheDir: cacheDir!,
  allowBuild: false,
  allowCpu: without === 'cpu',
});
const product = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]]));
process.stdout.write(JSON.stringify({ ...chosen, product: [...product.dataSync()] }));
process.exit(0);
