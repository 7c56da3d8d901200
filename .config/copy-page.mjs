// The dashboard's files are served as they are; the compiler only copies what it compiles.
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
cpSync(
  fileURLToPath(new URL('src/admin/page', root)),
  fileURLToPath(new URL('dist/src/admin/page', root)),
  { recursive: true, filter: (path) => !/\.(json|ts)$/.test(path) },
);
