// What npm would publish, installed in an empty project: ES modules, CommonJS and TypeScript users.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  mkdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeTinyFile } from '../support/tiny-file.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;
const MIB = 2 ** 20;
const STALE = 'of-an-earlier-build.js';
const program = `
const app = express();
const kv = kvshare({
  runner: 'http://127.0.0.1:9',
  identify: ({ headers }) => ({ tenant: String(headers['x-org']), user: null }),
  whileStarting: 'next',
});
kv.on('receipt', ({ outcome }) => console.log(outcome));
app.use('/v1', kv);
app.use((request, response) => response.status(418).end('own'));
const server = app.listen(0, async () => {
  const answer = await fetch('http://127.0.0.1:' + server.address().port + '/other');
  console.log(answer.status, await answer.text());
  server.close();
  await kv.close();
});
`;

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-package-'));
  // Builds first (the package's own \`prepare\`), and nothing of an earlier build is left.
  mkdirSync(join(root, 'dist', 'src'), { recursive: true });
  writeFileSync(join(root, 'dist', 'src', STALE), '');
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    maxBuffer: 64 * MIB,
  });
  const listed = stdout.slice(stdout.indexOf('[\n'));
  const [{ filename }] = JSON.parse(listed) as [{ filename: string }];
  tarball = join(folder, filename);
  const home = join(folder, 'node_modules', 'kvshare');
  mkdirSync(home, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', home, '--strip-components', '1']);
  const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  // What it declares and nothing else, besides the types that a TypeScript user has.
  for (const name of [...Object.keys(dependencies), '@types/node', '@types/express']) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runFile = async (name: string, text: string): Promise<string> => {
  writeFileSync(join(folder, name), text);
  const env = { ...process.env, KVSHARE_CACHE_DIR: join(folder, 'cache') };
  return (await run(process.execPath, ['--no-warnings', name], { cwd: folder, env })).stdout;
};

describe('the package', () => {
  it('is small, and holds what it needs and no sources', async () => {
    expect(statSync(tarball).size).toBeLessThan(3 * MIB);
    const { stdout } = await run('tar', ['-tzf', tarball]);
    for (const file of [
      'dist/src/index.js',
      'dist/src/index.d.ts',
      'dist/src/main.js',
      'LICENSE',
    ]) {
      expect(stdout).toContain(`package/${file}\n`);
    }
    expect(stdout).not.toMatch(/\.test\.|package\/src\/|fixtures/);
    expect(stdout).not.toContain(STALE);
  });

  it('serves a user of ES modules', async () => {
    const imports = "import express from 'express';\nimport { kvshare } from 'kvshare';\n";
    expect(await runFile('user.mjs', imports + program)).toContain('418 own');
  });

  it('serves a user of CommonJS', async () => {
    const imports =
      "const express = require('express');\nconst { kvshare } = require('kvshare');\n";
    expect(await runFile('user.cjs', imports + program)).toContain('418 own');
  });

  it('has a command line that needs nothing of the sources', async () => {
    const main = join(folder, 'node_modules', 'kvshare', 'dist', 'src', 'main.js');
    const env = { ...process.env, KVSHARE_CACHE_DIR: join(folder, 'cache') };
    const kvshare = async (...args: string[]): Promise<string> => {
      // The doctor of an empty machine has something to complain of.
      const ended = run(process.execPath, ['--no-warnings', main, ...args], { cwd: folder, env });
      const { stdout } = await ended.catch((error: unknown) => error as { stdout: string });
      return stdout;
    };
    expect(await kvshare('version')).toMatch(/^kvshare \d+\.\d+\.\d+, Node /);
    const findings = await kvshare('doctor', '--json');
    expect(findings).toContain(process.versions.node);
    expect(JSON.parse(await kvshare('config', 'schema'))).toHaveProperty('properties');
    expect(await kvshare('errors', 'invalid_json')).toContain('400');
    expect(await kvshare('completion', 'bash')).toContain('complete');
  });

  it('has all that its commands load', async () => {
    const home = join(folder, 'node_modules', 'kvshare', 'dist');
    const commands = readdirSync(join(home, 'src', 'commands'))
      .filter((name) => name.endsWith('-command.js'))
      .map((name) => join(home, 'src', 'commands', name));
    expect(commands.length).toBeGreaterThan(12);
    const files = [...commands, join(home, 'adapters', 'registry.js')];
    const imports = files.map((file) => `await import(${JSON.stringify(file)});`).join('\n');
    expect(await runFile('load.mjs', `${imports}\nconsole.log('loaded');\nprocess.exit();`)).toBe(
      'loaded\n',
    );
  });

  it('is the command line: serves a model, with the dashboard, and ends when told to', async () => {
    const model = join(folder, 'tiny.gguf');
    writeTinyFile(model, 512);
    const key = 'an-admin-key-for-tests';
    // JSON is YAML. Nothing is fetched.
    const config = join(folder, 'kvshare.yaml');
    writeFileSync(config, JSON.stringify({ embedder: { kind: 'off' } }));
    const ports = ['--port', '0', '--admin-port', '0', '--config', config];
    const main = join('node_modules', 'kvshare', 'dist', 'src', 'main.js');
    const args = [main, 'serve', ...ports, '--backend', 'cpu', '--model', model];
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, KVSHARE_ADMIN_KEY: key },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exited = once(child, 'exit');
    let said = '';
    const ready = new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(said)));
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('ready at http')) resolve();
      });
    });
    try {
      await ready;
      const admin = /kvshare admin on (http:\S+)/.exec(said)![1]!;
      for (const file of ['', 'app.js', 'style.css', 'icon.svg']) {
        expect([file, (await fetch(`${admin}/${file}`)).status]).toEqual([file, 200]);
      }
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);

  it('has types for both', async () => {
    const text = (head: string): string => `${head}
const kv = kvshare({
  runner: 'http://127.0.0.1:9',
  identify: ({ headers }) => ({ tenant: String(headers['x-org']) }),
  routes: [{ match: { path: '/v1/*' }, reuse: { policy: 'edit-closure', seam: 32 } }],
});
kv.on('receipt', ({ receipt }): number => receipt.importedTokens);
// @ts-expect-error an option that does not exist
kvshare({ runner: 'http://127.0.0.1:9', seam: 3 });
`;
    writeFileSync(join(folder, 'user.mts'), text("import { kvshare } from 'kvshare';"));
    writeFileSync(join(folder, 'user.cts'), text("import { kvshare } from 'kvshare';"));
    const options = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--noEmit'];
    const more = ['--skipLibCheck', '--types', 'node'];
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    await run(tsc, [...options, ...more, 'user.mts', 'user.cts'], { cwd: folder });
  }, 120_000);

  it('passes publint and arethetypeswrong', async () => {
    const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
    const published = await run(bin('publint'), ['run', tarball, '--strict'], { cwd: root });
    expect(published.stdout).toContain('All good');
    // CommonJS loads it by require(esm), which every supported Node has.
    const types = await run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-color'], {
      cwd: root,
    });
    expect(types.stdout).toContain('🟢 (ESM)');
    expect(types.stdout).not.toContain('❌');
  }, 120_000);
});
