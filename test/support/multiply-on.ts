// Run as a script: loads the backend named in argv and prints what it is and a product. Outside Jest, whose
// vm context breaks WebAssembly threads.
import { loadBackend, backendRequests } from '../../src/runner/backend/index.ts';

const [, , name, cacheDir] = process.argv;
const { tf, ...chosen } = await loadBackend({
  requested: backendRequests.find((known) => known === name)!,
  cacheDir: cacheDir!,
  allowBuild: false,
});
const product = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]]));
process.stdout.write(JSON.stringify({ ...chosen, product: [...product.dataSync()] }));
process.exit(0);
