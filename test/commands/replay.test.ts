import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseVariant, replayCommand } from '../../src/commands/replay-command.ts';
import type { VariantReport } from '../../src/replay/index.ts';
import { ask, bearer, serveTiny } from '../support/served.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-replay-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const rules = Array.from({ length: 8 }, (_, i) => `Rule ${i} of ward ${i * 7} is read aloud.`).join(
  '\n',
);
const chat = (content: string) => ({
  model: 'tiny',
  max_tokens: 1,
  messages: [{ role: 'user', content }],
});

describe('kvshare replay', () => {
  it('plans recorded traffic again under each variant, without the texts', async () => {
    const path = join(folder, 'requests.jsonl');
    const served = await serveTiny({ record: { path, plainTokens: false, maxBytes: 1e6 } });
    const north = bearer('key-north');
    const send = (text: string, headers: Record<string, string> = north) =>
      ask(served.url, '/v1/chat/completions', chat(text), headers);
    await send(`Card of Ann.\n${rules}\nWhat now?`);
    await send(`The card of Benjamin, bed nine.\n${rules}\nWhat now?`);
    await send(`Not to be kept.\n${rules}`, { ...north, 'x-kvshare-cache-control': 'no-store' });
    await send(`Nobody's.\n${rules}`, {});
    await served.close();
    expect(readFileSync(path, 'utf8')).not.toMatch(/Ann|Rule|kept/);

    const out = join(folder, 'out.json');
    const variants = ['exact', 'edit-closure', 'edit-closure,minRun=400'];
    await replayCommand([
      '--trace',
      path,
      '--out',
      out,
      ...variants.flatMap((variant) => ['--policy', variant]),
    ]);
    const report = JSON.parse(readFileSync(out, 'utf8')) as { variants: VariantReport[] };
    const [exact, closure, long] = report.variants;
    expect(report.variants.map(({ variant }) => variant)).toEqual(variants);
    expect(exact!.requests).toBe(2);
    expect(exact!.importedTokens).toBe(0);
    expect(closure!.importedTokens).toBeGreaterThan(200);
    expect(closure!.hitRate).toBeGreaterThan(exact!.hitRate + 0.2);
    expect(closure!.predictedTtftMs).toBeLessThan(exact!.predictedTtftMs);
    expect(long!.importedTokens).toBe(0);
  });

  const instructions = (how: string): string =>
    `All of us rinse the cup ${how} when the day is over, then put it back to where it belongs, in ` +
    'the cupboard by the window, and wipe the table so that whoever comes in the morning finds it dry.\n';
  const traceOf = async (name: string, plainTokens: boolean): Promise<string> => {
    const path = join(folder, name);
    const served = await serveTiny({ record: { path, plainTokens, maxBytes: 1e6 } });
    for (const how of ['well', 'thoroughly']) {
      const content = `${instructions(how)}${rules}\nWhat now?`;
      await ask(served.url, '/v1/chat/completions', chat(content), bearer('key-north'));
    }
    await served.close();
    return path;
  };
  const replay = async (path: string, ...flags: string[]): Promise<VariantReport[]> => {
    const out = join(folder, 'out.json');
    await replayCommand(['--trace', path, '--out', out, ...flags]);
    return (JSON.parse(readFileSync(out, 'utf8')) as { variants: VariantReport[] }).variants;
  };

  it('judges likeness and edits where ids are plain, and says where it cannot', async () => {
    const hashed = await traceOf('hashed.jsonl', false);
    for (const policy of ['edit-closure,minSimilarity=0.1', 'semantic']) {
      await expect(replay(hashed, '--policy', policy)).rejects.toThrow(/compares texts/);
    }
    const [blind] = await replay(hashed, '--policy', 'edit-closure,strict=true');
    expect(blind!.reasons).toMatchObject({ 'critical-edit': 1 });

    const plain = await traceOf('plain.jsonl', true);
    const model = join(folder, 'tiny.gguf');
    writeTinyFile(model, 2048);
    const variants = ['strict=true', 'minSimilarity=0.1', 'minSimilarity=1'];
    const policies = variants.flatMap((one) => ['--policy', `edit-closure,${one}`]);
    const flags = [...policies, '--model', model, '--embedder', 'model-rows'];
    const [strict, loose, alike] = await replay(plain, ...flags);
    expect(strict!.importedTokens).toBeGreaterThan(100);
    expect(loose!.importedTokens).toBeGreaterThan(100);
    expect(alike).toMatchObject({ importedTokens: 0, reasons: { 'low-similarity': 1 } });
    await expect(replay(plain, ...flags.slice(0, -1), 'off')).rejects.toThrow(/needs an embedder/);

    const other = join(folder, 'other.jsonl');
    writeFileSync(other, readFileSync(hashed, 'utf8').replace(/"version":1/g, '$&,"plain":true'));
    await expect(replay(other, ...flags)).rejects.toThrow(/another tokenizer/);
  });

  it('names what is wrong with a variant or a recording', async () => {
    expect(() => parseVariant('edit-closure,minRum=3')).toThrow(/minRun/);
    expect(() => parseVariant('edit-closure,minRun')).toThrow(/NAME=VALUE/);
    expect(() => parseVariant('naive')).toThrow(/policy must be one of/);
    expect(parseVariant('edit-closure,closure.max=80').reuse.closure).toEqual({ min: 32, max: 80 });
    await expect(replayCommand([])).rejects.toMatchObject({ code: 'config_invalid' });
    const empty = join(folder, 'empty.jsonl');
    writeFileSync(empty, '\n');
    await expect(replayCommand(['--trace', empty])).rejects.toThrow(/no requests/);
    writeFileSync(empty, '\n{"version":9}\n');
    await expect(replayCommand(['--trace', empty])).rejects.toThrow(/empty\.jsonl:2 /);
  });
});
