// The dashboard: a few static files, read once, that ask nobody else for anything. They hold no secret and need no key;
// what they show comes from the API, with the key that somebody typed in.
import { readFileSync } from 'node:fs';
import type { Express } from 'express';

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const files = [
  'index.html',
  'style.css',
  'icon.svg',
  'app.js',
  'api.js',
  'format.js',
  'live.js',
  'inspector.js',
  'parts.js',
  'theme.js',
] as const;

/** Nothing inline, nothing from elsewhere, in nobody's frame. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

export function addPage(app: Express): void {
  for (const name of files) {
    const content = readFileSync(new URL(`./page/${name}`, import.meta.url));
    const path = name === 'index.html' ? '/' : `/${name}`;
    app.get(path, (_request, response) => {
      response.set(headers).type(types[name.split('.')[1]!]!).send(content);
    });
  }
}
