import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { kvArguments } from '../src/config-kv.ts';
import { logArgument } from '../src/config-log.ts';
import { tracesEnvironment } from '../src/config-telemetry.ts';
import { besideSidecar, runnerAllocation, SIDECAR_BYTES } from '../src/config-memory.ts';
import { parseBytes, readSettings, runnerEnvironment } from '../src/config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = (text: string): string => {
  const path = join(folder, 'kvshare.yaml');
  writeFileSync(path, text);
  return path;
};
const fromFile = (text: string, env: NodeJS.ProcessEnv = {}) =>
  readSettings(['--config', file(text)], env);

describe('readSettings', () => {
  it('lets flags win over the environment, and the environment over defaults', () => {
    expect(readSettings([], {}).port).toBe(8080);
    expect(readSettings([], { KVSHARE_PORT: '9000' }).port).toBe(9000);
    expect(readSettings(['--port', '9001'], { KVSHARE_PORT: '9000' }).port).toBe(9001);
    expect(readSettings(['--kv-bytes', '2GiB'], {}).kvBytes).toBe(2 ** 31);
    // What fits: the model file tells.
    expect(readSettings([], {})).toMatchObject({ kvBytes: null, besideBytes: 0, isFrugal: false });
    const beside = { ...besideSidecar, ...runnerAllocation };
    expect(readSettings([], beside)).toMatchObject({ besideBytes: SIDECAR_BYTES, isFrugal: true });
    const GIB = 2 ** 30;
    const asked = (isEnforced: boolean) => runnerEnvironment({}, { bytes: 2 * GIB, isEnforced });
    expect(asked(true)).toMatchObject({ ...runnerAllocation, ...besideSidecar });
    // Where nobody is killed for what he keeps, what is imported comes sooner.
    expect(asked(false)).toMatchObject(besideSidecar);
    expect(asked(false)).not.toHaveProperty('MALLOC_ARENA_MAX');
    expect(readSettings([], {}).scheduler).toBe('reuse-aware');
    expect(readSettings([], { KVSHARE_SCHEDULER: 'fifo' }).scheduler).toBe('fifo');
    expect(readSettings(['--shared-step-tokens', '64'], {})).toMatchObject({
      stepTokens: null,
      sharedStepTokens: 64,
    });
  });

  it('keeps KV in live tensors alone unless it is told otherwise', () => {
    expect(readSettings(['--cache-dir', '/c'], {}).kv).toEqual({
      hostBytes: 0,
      hostFormat: 'fp32',
      diskBytes: 0,
      diskFolder: '/c/kv',
      scopeShare: 1,
      admission: 'always',
    });
    const flags = [
      '--kv-host-bytes',
      '1GiB',
      '--kv-host-format',
      'int8',
      '--kv-disk-bytes',
      '2GiB',
    ];
    const { kv } = readSettings([...flags, '--kv-scope-share', '0.1'], {});
    expect(kv).toMatchObject({ hostBytes: 2 ** 30, hostFormat: 'int8', diskBytes: 2 ** 31 });
    expect(readSettings(kvArguments(kv), {}).kv).toEqual(kv);
  });

  it('lets requests wait for prompts under way, unless told otherwise', () => {
    expect(fromFile('tenants: []').singleFlight).toBe(true);
    expect(fromFile('singleFlight: false').singleFlight).toBe(false);
    expect(() => fromFile('singleFlight: maybe')).toThrow(/singleFlight/);
  });

  it('reads tenants, keys from the environment, and thresholds', () => {
    const settings = fromFile(
      `tenants:
  - { name: northgate, keys: ["env:NORTH", "key-for-tests"] }
  - { name: southside, keys: ["env:MISSING"] }
reuse: { minRun: 48, closure: { max: 80 } }`,
      { NORTH: 'secret' },
    );
    expect(settings.tenants).toEqual([
      { name: 'northgate', keys: ['secret', 'key-for-tests'] },
      { name: 'southside', keys: [] },
    ]);
    expect(settings.reuse.options).toMatchObject({
      minRun: 48,
      seam: 16,
      closure: { min: 32, max: 80 },
    });
  });

  it('reads routes: conditions, and settings on top of the general ones or of another policy', () => {
    const { routes } = fromFile(
      `reuse: { minRun: 40 }
routes:
  - name: ward
    match: { path: /v1/chat/completions, header: { X-App: ward } }
    reuse: { strict: true, minSimilarity: 0.8 }
  - match: { model: "tutor-*", key: "env:TUTOR" }
    reuse: { policy: semantic, qualityBudget: { top1: 0.98 } }
  - match: { key: "env:MISSING" }
    reuse: { policy: exact }`,
      { TUTOR: 'secret' },
    );
    expect(routes.map(({ name }) => name)).toEqual(['ward', 'route-2', 'route-3']);
    expect(routes[0]!.match.header).toEqual({ 'x-app': 'ward' });
    expect(routes[0]!.reuse.options).toMatchObject({
      policy: 'edit-closure',
      minRun: 40,
      strict: true,
      minSimilarity: 0.8,
    });
    expect(routes[1]!.match).toEqual({ model: 'tutor-*', key: 'secret' });
    expect(routes[1]!.reuse).toMatchObject({
      options: { policy: 'semantic', minRun: 32, fullLayers: 1, minSimilarity: 0.92 },
      qualityBudget: { top1: 0.98, samples: 50 },
    });
    // A key that is not in the environment must match nobody.
    expect(routes[2]!.match.key).toBe('\0');
  });

  it.each([
    ['an unknown key', 'reuze: {}', /unknown key "reuze" in the file; known keys: tenants/],
    ['an unknown threshold', 'reuse: { minrun: 4 }', /unknown key "minrun" in reuse/],
    [
      'a threshold out of range',
      'reuse: { minReuse: 2 }',
      /reuse.minReuse must be a number from 0 to 1/,
    ],
    [
      'a threshold below the shortest run',
      'reuse: { minRun: 16 }',
      /reuse.minRun must be a number from 23/,
    ],
    [
      'a route without conditions',
      'routes: [{ match: {}, reuse: {} }]',
      /routes\[0\].match must NOT have fewer/,
    ],
    ['a route without settings', 'routes: [{ match: { path: /x } }]', /routes\[0\] needs "reuse"/],
    [
      'a misspelt threshold of a route',
      'routes: [{ match: { path: /v1 }, reuse: { minRuns: 40 } }]',
      /unknown key "minRuns" in routes\[0\].reuse.*Did you mean "minRun"/,
    ],
    [
      'two routes of one name',
      'routes: [{ name: a, match: { path: /x }, reuse: {} }, { name: a, match: { path: /y }, reuse: {} }]',
      /routes\[1\].name is "a", and so is routes\[0\].name/,
    ],
    [
      'a name that a route without one has by its place',
      'routes: [{ name: route-2, match: { path: /x }, reuse: {} }, { match: { path: /y }, reuse: {} }]',
      /routes\[1\].name is "route-2"/,
    ],
    [
      'a route with the name of the general settings',
      'routes: [{ name: default, match: { path: /x }, reuse: {} }]',
      /routes\[0\].name must not be "default"/,
    ],
    ['the policy that is for tests', 'reuse: { policy: naive }', /reuse.policy must be one of off/],
    [
      'a top-up without ratio',
      'reuse: { topUp: { selector: dhd } }',
      /reuse.topUp needs "ratio", or be null/,
    ],
    [
      'a top-up by an unknown selector',
      'reuse: { topUp: { selector: magic, ratio: 0.1 } }',
      /reuse.topUp.selector must be one of query-attention/,
    ],
    [
      'a misspelt top-up',
      'routes: [{ match: { path: /x }, reuse: { topUp: { selector: dhd, ratio: 0.1, windw: 4 } } }]',
      /unknown key "windw" in routes\[0\].reuse.topUp.*Did you mean "window"/,
    ],
    [
      'a growth below 1',
      'reuse: { contextGrowth: 0.5 }',
      /reuse.contextGrowth must be a number from 1 to 1000, or be 0\./,
    ],
    [
      'a least closure above the longest',
      'routes: [{ match: { path: /x }, reuse: { closure: { min: 100 } } }]',
      /routes\[0\].reuse.closure.min is 100, more than closure.max, which is 64/,
    ],
    [
      'a least closure above the longest that a route inherits',
      'reuse: { closure: { max: 40 } }\nroutes: [{ match: { path: /x }, reuse: { closure: { min: 48 } } }]',
      /routes\[0\].reuse.closure.min is 48, more than closure.max, which is 40/,
    ],
    [
      'more of a group than it has',
      'reuse: { topUp: { selector: dhd, ratio: 0.1, window: 2, keep: 5 } }',
      /reuse.topUp.keep is 5, more than topUp.window, which is 2/,
    ],
    [
      'a refresh of nothing',
      'reuse: { decodeRefresh: 3 }',
      /reuse.decodeRefresh is 3 and needs topUp/,
    ],
    [
      'other words without a layer in full',
      'reuse: { policy: semantic, fullLayers: 0 }',
      /reuse.fullLayers must be 1 or more under policy semantic/,
    ],
    [
      'a trial that is too short',
      'reuse: { policy: semantic, qualityBudget: { samples: 10 } }',
      /reuse.qualityBudget.samples must be a number from 50 to 10000/,
    ],
    ['an unknown policy', 'reuse: { policy: magic }', /reuse.policy must be one of off, exact/],
    [
      'one key for two tenants',
      'tenants: [{name: a, keys: [k]}, {name: b, keys: [k]}]',
      /same key/,
    ],
    ['broken YAML', 'tenants: [', /not valid YAML/],
  ])('refuses %s in one line that names the place', (_, text, message) => {
    expect(() => fromFile(text)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
    );
  });

  it.each([
    [['--port', 'x'], /--port must be a port number/],
    [['--backend', 'abacus'], /--backend must be one of auto/],
    [['--scheduler', 'lifo'], /--scheduler must be one of reuse-aware, fifo/],
    [['--step-tokens', '0'], /--step-tokens must be a positive number/],
    [['--precision', 'fp8'], /--precision must be one of fp32, bf16/],
    [['--kv-bytes', 'much'], /--kv-bytes must be a size/],
    [['--kv-host-bytes', '12KiB'], /--kv-host-bytes must be a size/],
    [['--kv-host-format', 'int4'], /--kv-host-format must be one of fp32, bf16, int8/],
    [['--kv-scope-share', '0'], /--kv-scope-share must be a number above 0/],
    [['--kv-scope-share', '1.5'], /--kv-scope-share must be a number above 0/],
    [['--kv-admission', 'never'], /--kv-admission must be one of always, second-sighting/],
    [['--kv-disk-dir', '/tmp/kv'], /--kv-disk-dir needs --kv-disk-bytes/],
    [['--prot', '1'], /--prot/],
    [['--config', '/nonexistent.yaml'], /cannot be read/],
  ])('refuses %j', (argv, message) => {
    expect(() => readSettings(argv, {})).toThrow(message);
  });

  it('reads log levels, one for all and others for single rooms', () => {
    const { logLevels } = readSettings(['--log-level', 'warn,runner=debug'], {});
    expect(logLevels).toEqual({ serve: 'warn', sidecar: 'warn', runner: 'debug' });
    expect(readSettings(['--log-level', logArgument(logLevels)], {}).logLevels).toEqual(logLevels);
    const wrong = (text: string) => () => readSettings(['--log-level', text], {});
    expect(wrong('debg')).toThrow(/"debg" is none of trace, .*Did you mean "debug"/);
    expect(wrong('runer=debug')).toThrow(/Did you mean "runner"/);
    expect(wrong('info,warn')).toThrow(/more than one level/);
  });

  it('sends traces where the file says, unless OpenTelemetry’s own variables say otherwise', () => {
    const otlp = (env: NodeJS.ProcessEnv, text = 'telemetry: { otlp: "http://file:4318" }') =>
      fromFile(text, env).telemetry.otlp;
    expect(otlp({}, 'tenants: []')).toBe(null);
    expect(otlp({})).toBe('http://file:4318/v1/traces');
    const all = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://env:4318/' };
    expect(otlp(all)).toBe('http://env:4318/v1/traces');
    const traces = { ...all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env/other' };
    expect(otlp(traces)).toBe('http://env/other');
    expect(otlp(tracesEnvironment({ otlp: 'http://x/v1/traces' }))).toBe('http://x/v1/traces');
    expect(otlp({ ...all, OTEL_SDK_DISABLED: 'true' })).toBe(null);
    expect(() => otlp({}, 'telemetry: { otlp: "collector:4318" }')).toThrow(/telemetry.otlp must/);
  });

  it('knows who else sets KVSHARE_PORT', () => {
    const env = { KVSHARE_PORT: 'tcp://10.0.0.7:8080' };
    expect(() => readSettings([], env)).toThrow(/port number.*enableServiceLinks: false/);
  });

  it('reads sizes', () => {
    expect(parseBytes('1.5GiB', 'x')).toBe(1.5 * 2 ** 30);
    expect(parseBytes('1048576', 'x')).toBe(2 ** 20);
  });
});

describe('the admin port', () => {
  const key = 'a-key-that-is-long-enough';

  it('is off without a key, local by default, and set in the file or the environment', () => {
    expect(readSettings([], {}).admin).toEqual({ host: '127.0.0.1', port: 8090, key: null });
    const admin = 'admin: { port: 9100, host: 0.0.0.0, key: env:OPERATOR }';
    expect(fromFile(admin, { OPERATOR: key }).admin).toEqual({ host: '0.0.0.0', port: 9100, key });
    expect(fromFile(admin, {}).admin.key).toBeNull();
    const env = { KVSHARE_ADMIN_KEY: key, KVSHARE_ADMIN_PORT: '9200' };
    expect(fromFile(admin, env).admin).toEqual({ host: '0.0.0.0', port: 9200, key });
  });

  it('has a key that is hard to guess and opens nothing for a tenant', () => {
    const metrics = { KVSHARE_METRICS_KEY: 'another-key-of-16-characters' };
    expect(fromFile('metrics: { key: a-key-in-the-file }').metrics.key).toBe('a-key-in-the-file');
    expect(fromFile('metrics: { key: a-key-in-the-file }', metrics).metrics.key).toMatch(
      /^another/,
    );
    expect(readSettings([], {}).metrics.key).toBeNull();
    expect(() => readSettings([], { KVSHARE_METRICS_KEY: 'short' })).toThrow(
      'metrics key needs 16',
    );
    expect(() => readSettings([], { KVSHARE_METRICS_KEY: key, KVSHARE_ADMIN_KEY: key })).toThrow(
      'also the admin key',
    );
    expect(() => readSettings([], { KVSHARE_ADMIN_KEY: 'short' })).toThrow('needs 16 characters');
    const tenants = `tenants: [{ name: ward, keys: [${key}] }]`;
    expect(() => fromFile(tenants, { KVSHARE_ADMIN_KEY: key })).toThrow('also a key of ward');
  });

  it('shows texts of the routes that say so', () => {
    const { inspect, routes } = fromFile(
      'inspect: text\nroutes: [{ match: { tenant: a }, reuse: {} }, { match: { tenant: b }, reuse: {}, inspect: text }]',
    );
    expect([inspect, ...routes.map((route) => route.inspect)]).toEqual(['text', undefined, 'text']);
    expect(() => fromFile('inspect: all')).toThrow('must be one of text');
  });
});
