// Every path that is not ours goes to the upstream as it came: no body parser before it, no buffering
// behind it. The only file that imports http-proxy-middleware.
import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { KvShareError, toErrorBody } from '../errors.ts';

const CONNECT_AND_SILENCE_MS = 120_000;

/** `upstream` is a fixed origin; a request can choose its path there and nothing else. */
export function passThrough(upstream: string): RequestHandler {
  return createProxyMiddleware({
    target: upstream,
    changeOrigin: true,
    xfwd: false,
    ws: false,
    followRedirects: false,
    proxyTimeout: CONNECT_AND_SILENCE_MS,
    on: {
      proxyReq: (outgoing) => {
        for (const name of outgoing.getHeaderNames()) {
          const ours = name.startsWith('x-kvshare-') || name.startsWith('x-forwarded-');
          if (ours || name.includes('_')) outgoing.removeHeader(name);
        }
      },
      error: (_error, _request, response) => {
        const failed = new KvShareError('upstream_failed', 'The upstream did not answer.');
        if (!('writeHead' in response)) return void response.destroy();
        answerFailure(response, failed);
      },
    },
  });
}

function answerFailure(response: ServerResponse, failed: KvShareError): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(failed.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(toErrorBody(failed)));
}
