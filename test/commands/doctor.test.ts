// `kvshare doctor` against a machine that is well and against everything that can be wrong with one.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Finding } from '../../src/commands/doctor/finding.ts';
import { checkFolders } from '../../src/commands/doctor/folders.ts';
import { checkGraphLibrary } from '../../src/commands/doctor/graph-library.ts';
import {
  checkClock,
  checkMemory,
  checkNode,
  checkProcessor,
} from '../../src/commands/doctor/machine.ts';
import { checkModel } from '../../src/commands/doctor/model.ts';
import { checkPort, checkRunner } from '../../src/commands/doctor/network.ts';
import { checkSettings } from '../../src/commands/doctor/settings.ts';
import { readSettings } from '../../src/config.ts';
import { multipliesBf16 } from '../../src/runner/backend/index.ts';
import { packageInfo } from '../../src/package-info.ts';
import { serveRunner } from '../../src/runner/server.ts';
import { encodeGguf } from '../support/gguf-writer.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';
import { serveAdmin } from '../support/served-admin.ts';
import { serveSidecar } from '../support/served.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

const GIB = 2 ** 30;
const folder = mkdtempSync(join(tmpdir(), 'kvshare-doctor-'));
const model = join(folder, 'tiny.gguf');
const settings = (...argv: string[]) => readSettings(['--cache-dir', folder, ...argv], {});

beforeAll(() => writeTinyFile(model, 256));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a person would act upon: every complaint comes with something to do. */
function expectFinding({ state, says, todo }: Finding, wanted: Finding['state'], text: RegExp) {
  expect([state, says]).toEqual([wanted, expect.stringMatching(text)]);
  expect(todo === undefined).toBe(wanted === 'ok');
}

describe('checks', () => {
  it('Node, by what package.json asks for', () => {
    expectFinding(checkNode(), 'ok', /\d+/);
    expectFinding(checkNode('22.0.0'), 'ok', /22/);
    expectFinding(checkNode('20.18.9'), 'fail', /20\.18\.9, >=20\.19 is needed/);
  });

  it('the clock, against the time of installation', () => {
    expectFinding(checkClock(), 'ok', /./);
    expectFinding(checkClock(0), 'fail', /1970/);
  });

  it('the library of large indexes, which npm may not have built', async () => {
    expectFinding(await checkGraphLibrary(), 'ok', /hnswlib-node loads/);
    expectFinding(await checkGraphLibrary('not-there'), 'warn', /not-there was not built/);
  });

  it('the processor, when bfloat16 is asked for', () => {
    expectFinding(checkProcessor({ precision: 'fp32' }, false), 'ok', /no/);
    expectFinding(checkProcessor({ precision: 'bf16' }, true), 'ok', /yes/);
    expectFinding(checkProcessor({ precision: 'bf16' }, false), 'warn', /hardware: no/);
    expectFinding(checkProcessor({ precision: 'bf16' }, null), 'warn', /unknown/);
    const info = join(folder, 'cpuinfo');
    const features = (line: string) => {
      writeFileSync(info, `processor : 0\n${line}\n`);
      return multipliesBf16(info);
    };
    expect(features('flags\t\t: fpu avx512f avx512_bf16')).toBe(true);
    expect(features('flags\t\t: fpu amx_bf16')).toBe(true);
    expect(features('flags\t\t: fpu avx2')).toBe(false);
    expect(features('nothing of that')).toBe(null);
    expect(multipliesBf16(join(folder, 'none'))).toBe(null);
  });

  it('memory, against the limit of the container, or what the machine has', () => {
    const given = settings('--kv-bytes', '2GiB', '--kv-host-bytes', '1GiB');
    const model = { weights: GIB, longest: GIB / 4 };
    const native = { name: 'tensorflow', hasOwnMemory: false } as const;
    const of = (gibibytes: number, isEnforced: boolean) =>
      checkMemory(given, model, native, { bytes: gibibytes * GIB, isEnforced });
    expectFinding(of(8, true), 'ok', /2048MiB KV, 1024MiB KV in host memory.* of 8192MiB/);
    expectFinding(of(5, true), 'fail', /for the sidecar/);
    expectFinding(of(5, false), 'warn', /for the sidecar/);
    expectFinding(checkMemory(given, null, native), 'warn', /not known/);
  });

  it('folders: who may write, who else may read, room', async () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    const disk = (path: string, size = '1GiB') =>
      checkFolders(settings('--kv-disk-bytes', size, '--kv-disk-dir', path)).then((all) => all[1]!);
    expectFinding((await checkFolders(settings()))[0]!, 'ok', /GiB free/);
    expectFinding(await disk(join(folder, 'not', 'yet')), 'ok', /GiB free/);
    expectFinding(await disk(open), 'warn', /open to others/);
    expectFinding(await disk(join(folder, 'new'), '9000000GiB'), 'warn', /may be needed/);
    // Nobody, root included, can write there.
    expectFinding(await disk('/proc/kv'), 'fail', /\/proc cannot be written/);
  });

  it('the model: missing, damaged, of another kind, without a template', async () => {
    const only = async (...argv: string[]) => (await checkModel(settings(...argv))).findings;
    expectFinding((await only())[0]!, 'warn', /not downloaded yet/);
    expectFinding((await only('--model', '/nowhere'))[0]!, 'fail', /no file/);
    mkdirSync(join(folder, 'models'));
    writeFileSync(join(folder, 'models', 'SmolLM2-135M-Instruct.Q4_1.gguf'), 'x');
    expectFinding((await only())[0]!, 'warn', /is damaged/);
    const other = join(folder, 'other.gguf');
    writeFileSync(other, 'no gguf');
    expectFinding((await only('--model', other))[0]!, 'fail', /other\.gguf: /);
    const architecture = { type: 'string', value: 'mamba' } as const;
    writeFileSync(other, encodeGguf({ 'general.architecture': architecture }, {}));
    const [kind, template] = await only('--model', other);
    expectFinding(kind!, 'fail', /mamba/);
    expectFinding(template!, 'fail', /./);
    const { findings, memory } = await checkModel(settings('--model', model));
    expectFinding(findings[0]!, 'ok', /llama, sha256 [0-9a-f]{12}/);
    expectFinding(findings[1]!, 'ok', /renders, \d+ tokens/);
    // 256 tokens of 3 layers, K and V, 2 heads of 8 numbers.
    expect(memory!.longest).toBe(256 * 3 * 2 * 2 * 8 * 4);
    expect(memory!.weights).toBeGreaterThan(1000);
  });

  it('ports', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => busy.once('listening', resolve));
    const { port } = busy.address() as AddressInfo;
    // It listens, and answers nobody.
    expectFinding(await checkPort({ port, host: '127.0.0.1' }), 'fail', / is in use/);
    expectFinding(await checkPort({ port: 0, host: '127.0.0.1' }), 'ok', /any free/);
    expectFinding(
      await checkPort({ port: 1, host: '192.0.2.1' }),
      'fail',
      /does not have that address/,
    );
    busy.close();
  });

  it('a port where one of ours listens already, and is who it says', async () => {
    const at = (port: number) => checkPort({ port, host: '127.0.0.1' });
    const { version } = packageInfo();
    const runner = await serveRunner(new ScriptedRunner(), { port: 0, host: '127.0.0.1' });
    expectFinding(await at(runner.port), 'ok', new RegExp(`kvshare runner ${version} runs there`));
    await runner.close();
    for (const [tenants, told] of [
      [[], `kvshare sidecar ${version}`],
      [[{ name: 'a', keys: ['k'] }], 'kvshare sidecar'],
    ] as const) {
      const { sidecar, url } = await serveSidecar(new ScriptedRunner(), {
        tenants,
        metricsKey: undefined as never,
      });
      const found = await at(Number(new URL(url).port));
      expectFinding(found, 'ok', new RegExp(`: ${told} runs there; --port for another one$`));
      const admin = await serveAdmin(sidecar);
      const address = { port: Number(new URL(admin.url).port), host: '127.0.0.1' };
      const beside = await checkPort({ ...address, flag: '--admin-port' });
      expectFinding(beside, 'ok', /: kvshare admin runs there; --admin-port for another one$/);
      expect(beside.check).toBe('admin-port');
      await admin.close();
      await sidecar.close();
    }
    // Others have a /livez, too, and may say anything there.
    for (const answer of ['{"status":"ok"}', '{"server":"kvshare \\u001b[2J"}', 'null', 'x']) {
      const other = createServer((_request, response) => response.end(answer));
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      expectFinding(await at((other.address() as AddressInfo).port), 'fail', / is in use/);
      other.closeAllConnections();
      other.close();
    }
  });

  it('the runner', async () => {
    const runner = await serveRunner(new ScriptedRunner(), { port: 0, host: '127.0.0.1' });
    const url = `http://127.0.0.1:${runner.port}`;
    expectFinding(await checkRunner(url, 'tiny'), 'ok', /tiny on scripted/);
    expectFinding(await checkRunner(url, 'other'), 'fail', /the sidecar has other/);
    await runner.close();
    expectFinding(await checkRunner(url, 'tiny'), 'fail', /nobody answers at 127/);
  });

  it('settings that are surely not meant', () => {
    const tenants = [
      { name: 'a', keys: ['k'] },
      { name: 'b', keys: [] },
    ];
    const found = checkSettings({ configPath: 'x.yaml', tenants }, ['nothing reads KVSHARE_X.']);
    expectFinding(found[0]!, 'warn', /KVSHARE_X/);
    expectFinding(found[1]!, 'warn', /no key for b/);
    expectFinding(
      checkSettings({ configPath: null, tenants: [] }, [])[0]!,
      'warn',
      /nothing is sh/,
    );
    const good = checkSettings({ configPath: 'x.yaml', tenants: tenants.slice(0, 1) }, []);
    expectFinding(good[0]!, 'ok', /x\.yaml/);
  });
});

describe('kvshare doctor', () => {
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  async function doctor(...args: string[]): Promise<{ status: number | null; stdout: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', main, 'doctor', ...args]);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, stdout };
  }
  const common = ['--port', '0', '--backend', 'cpu', '--kv-bytes', '64MiB'];

  it('ends with 0 when all is well, and says so as JSON, too', async () => {
    const where = ['--cache-dir', folder, '--model', model, ...common];
    const { status, stdout } = await doctor(...where, '--json');
    const { healthy, findings } = JSON.parse(stdout) as { healthy: boolean; findings: Finding[] };
    expect(findings.map(({ check, state }) => `${check} ${state}`)).toEqual([
      'node ok',
      'clock ok',
      'settings warn',
      'cache ok',
      'port ok',
      'index ok',
      'model ok',
      'chat-template ok',
      'processor ok',
      'memory ok',
      'backend ok',
    ]);
    expect([healthy, status]).toEqual([true, 0]);
  });

  it('ends with 1 and something to do when something is wrong, wrong settings included', async () => {
    const wrong = await doctor('--cache-dir', folder, '--model', '/nowhere', ...common);
    expect(wrong.status).toBe(1);
    expect(wrong.stdout).toMatch(/^fail {2}model +there is no file \/nowhere\n +→ name another/m);
    const misspelt = join(folder, 'kvshare.yaml');
    writeFileSync(misspelt, 'reuse: { minRuns: 40 }');
    const { status, stdout } = await doctor('--config', misspelt);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^fail {2}settings .*Did you mean "minRun"/m);
    const silent = await doctor(
      '--cache-dir',
      folder,
      '--model',
      model,
      '--runner',
      'http://127.0.0.1:9',
    );
    expect(silent.stdout).toMatch(/^fail {2}runner +nobody answers/m);
    expect(silent.stdout).not.toMatch(/backend|memory/);
  });
});
