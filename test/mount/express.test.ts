// Next to what apps have already: body parsers, compression, authentication, error handlers, in Express 4 and 5. Over
// real HTTP; that events are not held back shows in that each one waits for the one before.
import { request as httpRequest, type Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import compression from 'compression';
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import express4 from 'express4';
import { KvShareError } from '../../src/errors.ts';
import { tenantScope } from '../../src/match/index.ts';
import type { KvShareOptions } from '../../src/mount/index.ts';
import {
  hasContent,
  lockstep,
  mounted,
  postStream,
  question,
  serveApp,
  TOKENS,
} from '../support/mounted.ts';
import { ask } from '../support/served.ts';

const frameworks = { 'Express 5': express, 'Express 4': express4 } as const;
type Framework = keyof typeof frameworks;

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Around {
  readonly framework?: Framework;
  readonly before?: readonly RequestHandler[];
  readonly after?: readonly (RequestHandler | ErrorRequestHandler)[];
  readonly options?: Partial<KvShareOptions<Request>>;
}

async function appWith({ framework = 'Express 5', before = [], after = [], options }: Around) {
  const { kv, runner, log } = mounted<Request>(options);
  const app = frameworks[framework]();
  for (const middleware of before) app.use(middleware);
  app.use('/v1', kv);
  for (const middleware of after) app.use(middleware as RequestHandler);
  const { url, server } = await serveApp(app);
  open.push(
    () => stop(server),
    () => kv.close(),
  );
  await kv.ready();
  return { url, kv, runner, log };
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

const parsers: Record<string, readonly RequestHandler[]> = {
  'no parser': [],
  'json()': [express.json()],
  'Express 4’s json()': [express4.json()],
  'raw()': [express.raw({ type: '*/*' })],
  'text()': [express.text({ type: '*/*' })],
  'json() and urlencoded()': [express.json(), express.urlencoded()],
};
/** Takes away what keeps compression() from compressing streams. */
const transformable: RequestHandler = (_request, response, next) => {
  const writeHead = response.writeHead.bind(response) as (...given: unknown[]) => typeof response;
  response.writeHead = (status: number, ...rest: unknown[]) => {
    const headers = { ...(rest[0] as Record<string, string> | undefined) };
    delete headers['cache-control'];
    return writeHead(status, headers);
  };
  next();
};
const compressions: Record<string, readonly RequestHandler[]> = {
  'no compression': [],
  'compression()': [compression()],
  'compression() that compresses': [compression({ threshold: 0 }), transformable],
};
const auth: RequestHandler = (request, _response, next) => {
  Object.assign(request, { user: { org: request.get('x-org') } });
  next();
};
const orgOf = (request: Request): { tenant: string } => ({
  tenant: (request as unknown as { user: { org: string } }).user.org,
});

const orders = Object.keys(frameworks).flatMap((framework) =>
  Object.keys(parsers).flatMap((parser) =>
    Object.keys(compressions).flatMap((compressing) =>
      [false, true].map((reversed) => ({ framework, parser, compressing, reversed })),
    ),
  ),
);

async function streamBehind(order: (typeof orders)[number]): Promise<void> {
  const { framework, parser, compressing, reversed } = order;
  const around = [...compressions[compressing]!, auth, ...parsers[parser]!];
  const { url, runner } = await appWith({
    framework: framework as Framework,
    before: reversed ? around.reverse() : around,
    after: [(_request: Request, response: Response) => void response.status(404).send('theirs')],
    options: { identify: orgOf },
  });
  const { script, seen } = lockstep();
  runner.script = script;
  const answer = await postStream(
    `${url}/v1/chat/completions`,
    question('Hi', { stream: true, tenant: 'mallory', stream_options: { include_usage: true } }),
    { 'x-org': 'ward', 'accept-encoding': 'gzip' },
    seen,
  );
  const about = JSON.stringify(order);
  expect([about, answer.status]).toEqual([about, 200]);
  expect([about, answer.events.at(-1)]).toEqual([about, '[DONE]']);
  expect([about, answer.events.filter(hasContent).length]).toEqual([about, TOKENS]);
  expect(runner.requests[0]).toMatchObject({ store: true });
  // From identify, whatever the body claims.
  expect(runner.requests[0]!.scope).toBe(tenantScope('ward', null));
  // With the writeHead that drops it in front, compression() sees no reason not to.
  const compresses = compressing.endsWith('compresses') && !reversed;
  expect([about, answer.headers['content-encoding'] === 'gzip']).toEqual([about, compresses]);
}

describe('streams come event by event', () => {
  it.each(Object.keys(frameworks))('in %s, behind every order of middleware', async (framework) => {
    const mine = orders.filter((order) => order.framework === framework);
    expect(mine).toHaveLength(36);
    for (let at = 0; at < mine.length; at += 6) {
      await Promise.all(mine.slice(at, at + 6).map(streamBehind));
    }
  });
});

describe.each(Object.keys(frameworks) as Framework[])('%s', (framework) => {
  it('leaves every other path, method and preflight to the app', async () => {
    const { url } = await appWith({
      framework,
      after: [
        (request: Request, response: Response) =>
          void response.status(418).json({ url: request.originalUrl }),
      ],
    });
    for (const [method, path] of [
      ['GET', '/v1/chat/completions'],
      ['OPTIONS', '/v1/chat/completions'],
      ['POST', '/v1/models'],
      ['POST', '/v1/chat/completions/more'],
      ['GET', '/v1/models/a%ZZ'],
      ['POST', '/v1/embeddings'],
      ['GET', '/chat/completions'],
      ['POST', '/v1'],
    ]) {
      const response = await fetch(`${url}${path}`, { method: method! });
      expect([method, path, response.status]).toEqual([method, path, 418]);
      expect(response.headers.get('x-request-id')).toBeNull();
    }
    expect((await fetch(`${url}/v1/models`)).status).toBe(200);
    expect((await fetch(`${url}/v1/models/`)).status).toBe(200);
    expect((await fetch(`${url}/v1/models`, { method: 'HEAD' })).status).toBe(200);
  });

  it('answers errors as OpenAI does, or hands them to the app’s own handlers', async () => {
    const seen: unknown[] = [];
    const handler: ErrorRequestHandler = (error, _request, response, _next) => {
      seen.push(error);
      response.status((error as KvShareError).status).send('theirs');
    };
    const bad = question('Hi', { temperature: 7 });
    const own = await appWith({ framework, after: [handler] });
    const answered = await ask(own.url, '/v1/chat/completions', bad);
    expect([answered.status, answered.body.error.code]).toEqual([400, 'invalid_request']);
    expect(seen).toEqual([]);
    const theirs = await appWith({ framework, after: [handler], options: { errors: 'next' } });
    const response = await fetch(`${theirs.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(bad),
    });
    expect([response.status, await response.text()]).toEqual([400, 'theirs']);
    expect(seen[0]).toBeInstanceOf(KvShareError);
    expect(seen[0]).toMatchObject({ code: 'invalid_request', param: 'temperature' });
    // A fault of ours keeps its text, which may be a prompt, to itself.
    theirs.runner.generate = () => {
      throw new Error('secret prompt');
    };
    await fetch(`${theirs.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(question('Hi')),
    });
    expect(seen[1]).toMatchObject({ code: 'internal_error', status: 500 });
    expect(String(seen[1])).not.toContain('secret');
  });

  it('bounds bodies that the app’s own parser has let through', async () => {
    const { url, runner } = await appWith({
      framework,
      before: [express.json({ limit: '1mb' })],
      options: { maxBodyBytes: 1_000 },
    });
    const { status, body } = await ask(url, '/v1/chat/completions', question('x'.repeat(2_000)));
    expect([status, body.error.code]).toEqual([413, 'body_too_large']);
    expect(runner.requests).toEqual([]);
  });

  it('stops the runner when the client goes', async () => {
    const { url, runner } = await appWith({ framework, before: [express.json(), compression()] });
    const stopped = new Promise<void>((resolve) => {
      runner.script = async function* (request, signal) {
        signal.addEventListener('abort', () => resolve(), { once: true });
        yield* lockstep().script(request, signal);
      };
    });
    const sent = httpRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    sent.on('error', () => undefined);
    sent.once('response', (response) => response.once('data', () => sent.destroy()));
    sent.end(JSON.stringify(question('Hi', { stream: true })));
    await stopped;
  });

  it('takes the path that clients see for its routes, below whatever it is mounted', async () => {
    const { kv } = mounted({
      routes: [{ name: 'ward', match: { path: '/ai/v1/chat/completions' }, reuse: {} }],
    });
    const routes: string[] = [];
    kv.on('plan', ({ route }) => routes.push(route));
    const inner = frameworks[framework].Router();
    inner.use('/v1', kv);
    const app = frameworks[framework]();
    app.use('/ai', inner);
    app.use('/v1', kv);
    const { url, server } = await serveApp(app);
    open.push(
      () => stop(server),
      () => kv.close(),
    );
    await kv.ready();
    const dry = await ask(url, '/ai/v1/kvshare/plan', question('Hi'));
    expect(dry.body.route).toBe('ward');
    await ask(url, '/ai/v1/chat/completions', question('Hi'));
    await ask(url, '/v1/chat/completions', question('Hi'));
    expect(routes).toEqual(['ward', 'default']);
  });

  it('lets no spelling of a path lead past a route: whatever the app serves, the route covers', async () => {
    const { kv } = mounted({
      routes: [
        { name: 'strict', match: { path: '/v1/chat/completions' }, reuse: { policy: 'exact' } },
        { name: 'ward', match: { path: '/org/ward/v1/*' }, reuse: { policy: 'off' } },
      ],
    });
    const routes: string[] = [];
    kv.on('plan', ({ route }) => routes.push(route));
    const app = frameworks[framework]();
    // Paths are lower-cased by some apps; Express compares them in any case by itself.
    app.use('/lower', (request, _response, next) => {
      request.originalUrl = request.originalUrl.slice('/lower'.length);
      request.url = request.url.toLowerCase();
      next();
    });
    app.use(['/v1', '/lower/v1', '/org/:org/v1'], kv);
    const { url, server } = await serveApp(app);
    open.push(
      () => stop(server),
      () => kv.close(),
    );
    await kv.ready();
    const served: [string, string][] = [
      ['/v1/chat/completions', 'strict'],
      ['/V1/chat/completions', 'strict'],
      ['/v1/chat/completions/', 'strict'],
      ['/v1/chat/completions?a=/v1/completions', 'strict'],
      ['/lower/V1/Chat/Completions', 'strict'],
      ['/org/ward/v1/chat/completions', 'ward'],
      ['/ORG/Ward/V1/chat/completions', 'ward'],
      ['/org/w%61rd/v1/chat/completions', 'ward'],
      ['/org/other/v1/chat/completions', 'default'],
    ];
    for (const [path] of served) expect((await ask(url, path, question('Hi'))).status).toBe(200);
    expect(routes).toEqual(served.map(([, route]) => route));
    const post = async (path: string): Promise<number> => {
      const body = JSON.stringify(question('Hi'));
      return (await fetch(`${url}${path}`, { method: 'POST', body })).status;
    };
    // Not served at all: nothing that a route could miss.
    for (const path of ['/v1/Chat/Completions', '/v1/ch%61t/completions', '//v1/chat/completions'])
      expect([path, await post(path)]).toEqual([path, 404]);
    // To Express 4 it is the same path.
    expect(await post('/v1//chat/completions')).toBe(framework === 'Express 4' ? 200 : 404);
    if (framework === 'Express 4') expect(routes.pop()).toBe('strict');
    expect(routes).toHaveLength(served.length);
  });
});
