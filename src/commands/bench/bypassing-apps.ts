// Express apps that differ in nothing but the mount, for `bench overhead`.
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { InstantRunner, type BypassingApps } from '../../bench/index.ts';
import { kvshare, type KvShare, type KvShareOptions } from '../../mount/index.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';

const MODEL = 'instant';
const PATH = '/v1/chat/completions';
const OTHER_PATH = '/v1/answers';

const event = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
const head = { 'content-type': 'text/event-stream' };

/** An app that has its answers from somewhere else. */
const answerOwn: RequestHandler = (request, response) => {
  request.resume();
  response.writeHead(200, head);
  response.write(event('An answer.'));
  response.end('data: [DONE]\n\n');
};

type Asked = Request<
  unknown,
  unknown,
  { messages: Parameters<Tokenizer['encodeChat']>[0]; max_tokens: number }
>;

/** An app that does by itself what KVShare does under `policy: off`: reads, tokenises, asks the runner, sends. */
function answerFrom(runner: InstantRunner, tokenizer: Tokenizer) {
  return async ({ body }: Asked, response: Parameters<RequestHandler>[1]): Promise<void> => {
    const { messages, max_tokens: maxTokens } = body;
    const tokens = Array.from(tokenizer.encodeChat(messages).tokens);
    const sampling = { temperature: 0, topP: 1, seed: 1, maxTokens, stopTokens: [] };
    const asked = { requestId: randomUUID(), scope: 'own', owner: null, plan: null, store: false };
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const decoder = tokenizer.streamDecoder();
    response.writeHead(200, head);
    for await (const one of runner.generate({ ...asked, tokens, sampling }, gone.signal)) {
      if (one.type === 'token') response.write(event(decoder.push(one.id)));
    }
    response.end('data: [DONE]\n\n');
  };
}

export async function openBypassingApps(tokenizer: Tokenizer): Promise<BypassingApps> {
  const closes: (() => Promise<unknown>)[] = [];
  const runner = new InstantRunner({ paceMs: 0, modelId: MODEL, onAnswered: () => undefined });
  const mount = async (options: Partial<KvShareOptions>): Promise<KvShare> => {
    const model = { id: MODEL, tokenizer };
    const kv = kvshare({ runner, model, identify: () => ({ tenant: 'clinic' }), ...options });
    closes.push(() => kv.close());
    await kv.ready();
    return kv;
  };
  const serve = async (prepare: (app: Express) => void): Promise<string> => {
    const app = express();
    prepare(app);
    app.post([PATH, OTHER_PATH], answerOwn);
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    closes.push(
      () =>
        new Promise((resolve) => {
          server.close(resolve);
          server.closeAllConnections();
        }),
    );
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const plain = await serve(() => undefined);
  const relaying = await serve((app) =>
    app.post(PATH, express.json({ limit: '4mb' }), answerFrom(runner, tokenizer)),
  );
  const [kv, bypassed, off] = await Promise.all([
    mount({}),
    mount({ bypass: () => true }),
    mount({ reuse: { policy: 'off' } }),
  ]);
  const [others, bypassing, serving] = await Promise.all(
    [kv, bypassed, off].map((mounted) => serve((app) => app.use('/v1', mounted))),
  );
  return {
    urls: {
      otherPath: { mounted: `${others!}${OTHER_PATH}`, plain: `${plain}${OTHER_PATH}` },
      bypass: { mounted: `${bypassing!}${PATH}`, plain: `${plain}${PATH}` },
      policyOff: { mounted: `${serving!}${PATH}`, plain: `${relaying}${PATH}` },
    },
    close: async () => {
      for (const close of closes) await close();
    },
  };
}
