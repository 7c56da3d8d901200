// KVShare in an Express app of your own. Needs `npx kvshare runner --port 8081`; in your project: from 'kvshare'.
import express from 'express';
import { kvshare } from '../src/index.ts';

const app = express();
const kv = kvshare({
  runner: process.env['RUNNER_URL'] ?? 'http://127.0.0.1:8081',
  // Whatever your app has verified; here a header stands for it.
  identify: ({ headers }) => ({ tenant: String(headers['x-org']), user: null }),
  routes: [{ match: { tenant: 'ward' }, reuse: { minReuse: 0.4 } }],
});
kv.on('receipt', ({ outcome, receipt }) => console.log(outcome, receipt.importedTokens));
app.use('/v1', kv);
const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  console.log('listening', (server.address() as { port: number }).port);
});
// Kubernetes and `docker stop` say so before they kill: answers under way finish, new requests are sent elsewhere.
process.once('SIGTERM', () => void kv.close().then(() => server.close()));
