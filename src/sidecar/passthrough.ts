// Every path that is not ours goes to the upstream as it came: no body parser before it, no buffering
// behind it. The only file that imports http-proxy-middleware.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { KvShareError, toErrorBody } from '../errors.ts';

const CONNECT_AND_SILENCE_MS = 120_000;

/** For this connection alone (RFC 9110, 7.6.1), or what only a proxy in front of us could know. */
const notForwarded = new Set([
  ...['connection', 'expect', 'forwarded', 'http2-settings', 'keep-alive', 'proxy-authorization'],
  ...['proxy-connection', 'te', 'trailer', 'upgrade'],
]);
/** Without these nobody knows where a request ends. */
const framing = new Set(['content-length', 'host', 'transfer-encoding']);

/** Before the proxy sees them: its own event for that is skipped for requests with an Expect header. */
function forwarded(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const isForwarded = (name: string): boolean => {
    if (framing.has(name)) return true;
    const ours = name.startsWith('x-kvshare-') || name.startsWith('x-forwarded-');
    // Servers that know CGI take an underscore for a hyphen.
    return !ours && !name.includes('_') && !notForwarded.has(name) && !named.includes(name);
  };
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isForwarded(name)));
}

/** The proxy announces no body for such a request and sends it all the same: the upstream would see a second request. */
function checkFraming({ method, headers }: IncomingMessage): void {
  const isMisframed = method === 'DELETE' || method === 'OPTIONS';
  if (!isMisframed || headers['transfer-encoding'] === undefined) return;
  throw new KvShareError('invalid_request', `${method} with a body needs a Content-Length.`);
}

/** `upstream` is a fixed origin; a request can choose its path there and nothing else. */
export function passThrough(upstream: string): RequestHandler {
  const proxy = createProxyMiddleware({
    target: upstream,
    changeOrigin: true,
    xfwd: false,
    ws: false,
    followRedirects: false,
    proxyTimeout: CONNECT_AND_SILENCE_MS,
    on: {
      error: (_error, _request, response) => {
        const failed = new KvShareError('upstream_failed', 'The upstream did not answer.');
        if (!('writeHead' in response)) return void response.destroy();
        answerFailure(response, failed);
      },
    },
  });
  return (request, response, next) => {
    checkFraming(request);
    request.headers = forwarded(request.headers);
    return proxy(request, response, next);
  };
}

function answerFailure(response: ServerResponse, failed: KvShareError): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(failed.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(toErrorBody(failed)));
}
