// What an operator deletes stays deleted, also when the runner could not be told at once.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { KvShareError } from '../../src/errors.ts';
import { EventQueue, type StoredContext, type StoreEvent } from '../../src/protocol/index.ts';
import { ask, bearer, serveSidecar } from '../support/served.ts';
import { answering, ScriptedRunner, storing } from '../support/scripted-runner.ts';

/** Lists what it is told to when it is reached, and deletes when it can. */
class KeepingRunner extends ScriptedRunner {
  contexts: StoredContext[] = [];
  canDelete = true;
  readonly deleted: string[][] = [];
  readonly control = {
    list: () => Promise.resolve([]),
    pin: () => Promise.resolve([]),
    unpin: () => Promise.resolve([]),
    remove: (segments: readonly string[]): Promise<readonly string[]> => {
      if (!this.canDelete) return Promise.reject(new KvShareError('runner_failed', 'not now'));
      this.deleted.push([...segments]);
      this.contexts = this.contexts.filter(({ segment }) => !segments.includes(segment));
      return Promise.resolve(segments);
    },
  };

  override async info() {
    const info = await super.info();
    return { ...info, capabilities: { ...info.capabilities, storeControl: true } };
  }

  override watch(signal: AbortSignal): AsyncIterable<StoreEvent> {
    if (!this.up) return super.watch(signal);
    const queue = new EventQueue<StoreEvent>();
    queue.push({ type: 'hello', generation: this.generation, contexts: this.contexts });
    this.watchers.add(queue);
    signal.addEventListener('abort', () => queue.close(), { once: true });
    return queue;
  }
}

let runner: KeepingRunner;
let served: Awaited<ReturnType<typeof serveSidecar>>;
afterEach(() => served.sidecar.close());

const guideline = 'The same guideline for every patient of the ward. '.repeat(12);
const body = { model: 'tiny', max_tokens: 4, messages: [{ role: 'user', content: guideline }] };
const send = (key = 'key-north') =>
  ask(served.url, '/v1/chat/completions', body, bearer(key)).then(({ status }) => status);

/** Whether a plan of this tenant imports something now. */
async function reuses(key?: string): Promise<boolean> {
  expect(await send(key)).toBe(200);
  return runner.requests.at(-1)!.plan !== null;
}

/** One stored context of each tenant, as the runner has them. */
async function serve(deletionsFile?: string): Promise<void> {
  runner = new KeepingRunner();
  served = await serveSidecar(runner, deletionsFile === undefined ? {} : { deletionsFile });
  for (const [at, key] of ['key-north', 'key-south'].entries()) {
    runner.script = storing(`gen-a.${at}`);
    await send(key);
    const { tokens, scope, owner } = runner.requests.at(-1)!;
    const counts = { exactTokens: tokens.length, promptTokens: tokens.length };
    runner.contexts.push({ segment: `gen-a.${at}`, scope, owner, tokens, ...counts });
  }
  runner.script = answering;
  expect([await reuses(), await reuses('key-south')]).toEqual([true, true]);
}

async function reconnect(): Promise<void> {
  runner.crash();
  await until(() => served.sidecar.operator.runner === null);
  runner.up = true;
  await until(() => served.sidecar.operator.runner !== null);
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(20);
  expect(condition()).toBe(true);
}

describe('a deletion that the runner has not confirmed', () => {
  it('holds when the runner lists the donor again, and is asked for until it is done', async () => {
    await serve();
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toThrow('not now');
    expect(await reuses()).toBe(false);
    await reconnect();
    expect([await reuses(), await reuses('key-south')]).toEqual([false, true]);
    expect(served.log.lines.join()).toContain('has to be deleted is still at the runner');
    runner.canDelete = true;
    await reconnect();
    expect(runner.deleted).toEqual([['gen-a.0']]);
    await reconnect();
    expect(runner.deleted).toHaveLength(1);
  });

  it('was asked for while the runner was away', async () => {
    await serve();
    runner.crash();
    await until(() => served.sidecar.operator.runner === null);
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toThrow();
    [runner.canDelete, runner.up] = [true, true];
    await until(() => runner.deleted.length === 1);
    expect([await reuses(), await reuses('key-south')]).toEqual([false, true]);
  });

  it('is not done because a restarted runner has nothing of that name', async () => {
    await serve();
    runner.crash();
    await until(() => served.sidecar.operator.runner === null);
    runner.generation = 'gen-b';
    runner.contexts = runner.contexts.map((context, at) => ({
      ...context,
      segment: `gen-b.${at}`,
    }));
    // It answers, but has not told yet what it has.
    runner.up = true;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toThrow('was restarted');
    await until(() => served.sidecar.operator.runner !== null);
    expect([await reuses(), await reuses('key-south')]).toEqual([false, true]);
    await until(() => runner.deleted.length === 1);
    expect(runner.deleted).toEqual([['gen-b.0']]);
  });

  it('takes all that a restarted runner brings back of that scope under new names', async () => {
    await serve();
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toThrow();
    runner.generation = 'gen-b';
    runner.contexts = runner.contexts.map((context, at) => ({
      ...context,
      segment: `gen-b.${at}`,
    }));
    await reconnect();
    expect([await reuses(), await reuses('key-south')]).toEqual([false, true]);
    runner.canDelete = true;
    await reconnect();
    expect(runner.deleted).toEqual([['gen-b.0']]);
    // Nothing else of the tenant is affected from then on.
    runner.script = storing('gen-b.2');
    await send();
    runner.script = answering;
    expect(await reuses()).toBe(true);
  });

  it('is done when the runner says by itself that it is gone', async () => {
    await serve();
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toThrow();
    for (const watcher of runner.watchers) watcher.push({ type: 'evicted', segments: ['gen-a.0'] });
    await sleep(20);
    [runner.canDelete, runner.contexts] = [true, []];
    await reconnect();
    expect(runner.deleted).toEqual([]);
  });
});

describe('a sidecar that is restarted while its runner lives on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-deletions-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  async function restart(deletionsFile?: string): Promise<void> {
    await served.sidecar.close();
    served = await serveSidecar(runner, deletionsFile === undefined ? {} : { deletionsFile });
    await until(() => served.sidecar.operator.runner !== null);
  }

  it('still imports nothing of what waits, and has it deleted', async () => {
    const file = join(folder, 'deeper', 'deletions.json');
    await serve(file);
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toMatchObject({
      code: 'runner_failed',
      message: expect.stringMatching(/^not now .*also after a restart of the sidecar/),
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain('guideline');
    await restart(file);
    expect([await reuses(), await reuses('key-south')]).toEqual([false, true]);
    runner.canDelete = true;
    await reconnect();
    await until(() => runner.deleted.length === 1);
    expect(runner.deleted).toEqual([['gen-a.0']]);
    expect(existsSync(file)).toBe(false);
  });

  it('deletes all that the runner has when its file cannot be read', async () => {
    const file = join(folder, 'damaged.json');
    await serve(file);
    await served.sidecar.close();
    writeFileSync(file, '{ "version": 1, "waiting": [{ "segm');
    runner.canDelete = false;
    await restart(file);
    expect([await reuses(), await reuses('key-south')]).toEqual([false, false]);
    expect(served.log.lines.join()).toContain('the file of deletions cannot be read');
    runner.canDelete = true;
    await restart(file);
    await until(() => !existsSync(file));
    expect(runner.deleted).toEqual([['gen-a.0', 'gen-a.1']]);
  });

  it('says that it will not know, when it has no file or cannot write it', async () => {
    const note = expect.stringContaining('delete again then');
    await serve();
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toMatchObject({
      message: note,
    });
    await served.sidecar.close();
    writeFileSync(join(folder, 'file'), '');
    await serve(join(folder, 'file', 'deletions.json'));
    runner.canDelete = false;
    await expect(served.sidecar.operator.remove(['gen-a.0'])).rejects.toMatchObject({
      message: note,
    });
  });

  it('does not say that something is deleted before it knows what there is', async () => {
    await serve();
    await served.sidecar.close();
    runner.up = false;
    served = await serveSidecar(runner);
    for (const act of [
      () => served.sidecar.operator.flush(),
      () => served.sidecar.operator.remove([]),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'runner_unavailable' });
    }
  });
});
