// The same in Fastify, in shadow: every prompt is computed in full, and metrics tell what reuse would have saved.
import fastify from 'fastify';
import { kvshare } from '../src/index.ts';

const kv = kvshare({
  runner: process.env['RUNNER_URL'] ?? 'http://127.0.0.1:8081',
  identify: ({ headers }) => ({ tenant: String(headers['x-org']), user: null }),
  reuse: { shadow: true },
});
const app = fastify();
await app.register(kv.fastify, { prefix: '/v1' });
app.get('/metrics', async () => kv.metrics());
app.addHook('preClose', () => kv.close());
process.once('SIGTERM', () => void app.close());
await app.listen({ port: Number(process.env['PORT'] ?? 3000) });
console.log('listening', (app.server.address() as { port: number }).port);
