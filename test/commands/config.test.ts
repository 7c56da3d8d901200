import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { parseConfigFile } from '../../src/config-file.ts';
import { unknownVariables } from '../../src/config-flags.ts';
import { showSettings } from '../../src/config-print.ts';
import { configSchema } from '../../src/config-schema.ts';
import { readSettings } from '../../src/config.ts';
import { serving } from '../../src/commands/catalog/serving.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'kvshare-print-'));
const path = join(folder, 'kvshare.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

const text = `tenants:
  - { name: northgate, keys: [env:NORTH, "very-secret"] }
  - name: southside
    keys: [env:SOUTH]
reuse:
  minRun: 48
  qualityBudget: { kl: 0.1 }
routes:
  - match: { key: "route-secret", header: { x-app: ward, Authorization: "header-secret" } }
    reuse: { strict: true }
  - match: { model: tutor }
    reuse:
      policy: semantic
embedder: { kind: openai, url: "http://me:url-secret@host/v1", model: m, key: "embed-secret" }
upstream: http://me:url-secret@host
`;

function shown(argv: readonly string[], env: NodeJS.ProcessEnv) {
  const { flags } = serving.serve;
  const settings = readSettings(argv, env, flags);
  const file = { file: parseConfigFile(text, path, env), path, text };
  const list = showSettings(settings, { argv, env, flags, file });
  return new Map(list.map(({ name, value, source }) => [name, { value, source }]));
}

describe('--print-config', () => {
  writeFileSync(path, text);
  const env = { KVSHARE_STEP_TOKENS: '300', KVSHARE_PORT: '9000', NORTH: 'north-secret' };
  const settings = shown(['--config', path, '--port', '9001'], env);

  it.each([
    ['port', 9001, '--port'],
    ['step-tokens', 300, 'KVSHARE_STEP_TOKENS'],
    ['shared-step-tokens', 'by backend', 'default'],
    ['host', '127.0.0.1', 'default'],
    ['tenants[0].keys[0]', 'env:NORTH (set)', `${path}:2`],
    ['tenants[1].name', 'southside', `${path}:3`],
    ['tenants[1].keys[0]', 'env:SOUTH (not set)', `${path}:4`],
    ['reuse.minRun', 48, `${path}:6`],
    ['reuse.seam', 16, 'policy edit-closure'],
    ['reuse.policy', 'edit-closure', 'default'],
    ['routes[0].name', 'route-1', 'default'],
    ['routes[0].match.header.x-app', 'ward', `${path}:9`],
    ['routes[0].reuse.strict', true, `${path}:10`],
    // What a route does not say comes from above while the policy is the same …
    ['routes[0].reuse.minRun', 48, `${path}:6`],
    // … and else from the policy that it names, but for the budget.
    ['routes[1].reuse.policy', 'semantic', `${path}:13`],
    ['routes[1].reuse.minRun', 32, 'policy semantic'],
    ['routes[1].reuse.qualityBudget.kl', 0.1, `${path}:7`],
    ['singleFlight', true, 'default'],
    ['upstream', 'http://***@host', `${path}:15`],
  ])('%s is %j, from %s', (name, value, source) => {
    expect(settings.get(name)).toEqual({ value, source });
  });

  it('shows no secret, wherever it stands', () => {
    const everything = JSON.stringify([...settings]);
    expect(everything).not.toMatch(/secret/);
    expect(settings.get('embedder.key')!.value).toBe('***');
    expect(settings.get('routes[0].match.key')!.value).toBe('***');
  });

  it('is what the command prints, as a table and as JSON, before anything is started', () => {
    const main = new URL('src/main.ts', root).pathname;
    const args = ['--import', 'tsx', main, 'serve', '--config', path, '--print-config'];
    const run = (...more: string[]) =>
      spawnSync(process.execPath, [...args, ...more], {
        encoding: 'utf8',
        env: { ...process.env, ...env, KVSHARE_BACKND: 'wasm' },
      });
    expect(run().stdout).toMatch(new RegExp(`^reuse.minRun +48 +${path}:6$`, 'm'));
    const json = JSON.parse(run('--json').stdout) as {
      settings: { name: string }[];
      warnings: string[];
    };
    expect(json.settings.map(({ name }) => name)).toEqual([...settings.keys()]);
    expect(json.warnings).toEqual([
      'nothing reads the variable KVSHARE_BACKND. Did you mean "KVSHARE_BACKEND"?',
    ]);
  });
});

describe('variables', () => {
  it('that look like ours and are not are named; those of Kubernetes are let be', () => {
    const env = {
      KVSHARE_PORT: '1',
      KVSHARE_KEY: 'k',
      KVSHARE_SERVICE_HOST: '10.0.0.1',
      KVSHARE_SERVICE_PORT_HTTP: '8080',
      KVSHARE_PORT_8080_TCP_ADDR: '10.0.0.1',
      KVSHARE_ANYTHING_ELSE: '1',
      OTHER: '1',
    };
    expect(unknownVariables(env)).toEqual(['nothing reads the variable KVSHARE_ANYTHING_ELSE.']);
  });
});

describe('the schema for editors', () => {
  const published = JSON.parse(read('examples/kvshare.schema.json')) as object;

  it('is the one that settings are checked by', () => {
    // `kvshare config schema > examples/kvshare.schema.json` when this fails.
    expect(published).toEqual(JSON.parse(JSON.stringify(configSchema)));
  });

  it('accepts the example and refuses a misspelt key; every setting is described', () => {
    const check = new Ajv({ strict: false }).compile(published);
    const example = parse(read('examples/kvshare.yaml')) as object;
    expect(check(example)).toBe(true);
    expect(check({ ...example, tenant: [] })).toBe(false);
    expect(read('examples/kvshare.yaml')).toMatch(
      /^# yaml-language-server: \$schema=.*schema\.json/,
    );
    const { properties } = configSchema as { properties: Record<string, { description?: string }> };
    for (const [name, { description }] of Object.entries(properties)) {
      expect([name, description]).toEqual([name, expect.any(String)]);
    }
  });
});
