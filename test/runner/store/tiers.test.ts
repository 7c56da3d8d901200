// A store with every tier, under random commands: after each of them the books must balance, and whatever comes
// back must be the KV of exactly that context. 600 commands a format; 10,000 with KVSHARE_FULL=1 (security test N3).
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bytesPerToken } from '../../../src/kv/index.ts';
import { loadBackend, type Tf } from '../../../src/runner/backend/index.ts';
import { seededRandom } from '../../../src/runner/engine/sampler.ts';
import { DiskStore } from '../../../src/runner/store/disk/disk-store.ts';
import { headViews, viewLength } from '../../../src/runner/store/kv-page.ts';
import { KvStore, type Bringing } from '../../../src/runner/store/kv-store.ts';
import { kvFormats, type KvFormat } from '../../../src/runner/store/page-codec.ts';
import { blockOf, tinyLayout, worstError } from '../../support/kept-kv.ts';

const COMMANDS = process.env['KVSHARE_FULL'] === '1' ? 10_000 : 600;
const PER_TOKEN = bytesPerToken(tinyLayout);
/** Of numbers between -2 and 2. */
const WORST: Record<KvFormat, number> = { fp32: 0, bf16: 2 ** -8, int8: 2 / 254 + 1e-6 };

let tf: Tf;
let folder: string;

beforeAll(async () => {
  const requested = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
  ({ tf } = await loadBackend(requested));
  folder = mkdtempSync(join(tmpdir(), 'kvshare-tiers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fail = (what: string, error?: unknown): never => {
  throw new Error(what, { cause: error });
};

class Soak {
  readonly random: () => number;
  readonly segments = new Set<string>();
  readonly held: Bringing[] = [];
  store!: KvStore;
  clock = 0;
  generation = 0;
  verified = 0;
  restored = 0;
  /** Over all restarts. */
  readonly moved = new Map<string, number>();

  readonly path: string;
  readonly format: KvFormat;

  constructor(path: string, format: KvFormat, seed: number) {
    this.path = path;
    this.format = format;
    this.random = seededRandom(seed);
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  async open(): Promise<void> {
    const disk = await DiskStore.open({ folder: this.path, fingerprint: 'soak', onProblem: fail });
    this.segments.clear();
    this.store = new KvStore({
      tf,
      layout: tinyLayout,
      maxBytes: 400 * PER_TOKEN,
      hostBytes: 300 * PER_TOKEN,
      hostFormat: this.format,
      diskBytes: 1_200 * PER_TOKEN,
      scopeShare: 0.6,
      generation: `gen${this.generation++}`,
      disk,
      onEvict: (gone) => gone.forEach((segment) => this.segments.delete(segment)),
      onProblem: fail,
      now: () => this.clock,
    });
    for (const context of this.store.contexts()) this.segments.add(context.segment);
    this.restored += this.segments.size;
  }

  pick(): string | undefined {
    return [...this.segments][this.below(this.segments.size)];
  }

  tokens(count: number): number[] {
    return Array.from({ length: count }, () => this.below(1_000));
  }

  put(): void {
    const scope = `scope-${this.below(4)}`;
    const donor = this.random() < 0.5 ? this.store.get(this.pick() ?? '') : undefined;
    const inScope = donor?.context.scope === scope ? donor : undefined;
    const length = inScope ? 1 + this.below(inScope.context.tokens.length) : 0;
    const shared = headViews(inScope?.views ?? [], length);
    const start = shared.reduce((sum, view) => sum + viewLength(view), 0);
    const old = inScope?.context.tokens.slice(0, start) ?? [];
    const tokens = [...old, ...this.tokens(1 + this.below(60))];
    const { length: promptTokens } = tokens;
    const context = this.store.put({
      context: { scope, owner: null, tokens, exactTokens: promptTokens, promptTokens },
      shared,
      makePage: () => blockOf(tf, scope, tokens, start),
    });
    if (context) this.segments.add(context.segment);
  }

  extend(): void {
    const segment = this.pick();
    const known = segment && this.store.get(segment);
    if (!known) return;
    const { scope, tokens } = known.context;
    const longer = [...tokens, ...this.tokens(1 + this.below(20))];
    this.store.extend(segment, longer, () => blockOf(tf, scope, longer, tokens.length));
  }

  async bring(): Promise<void> {
    const segment = this.pick();
    const known = segment && this.store.get(segment);
    if (!known) return;
    const { length } = known.context.tokens;
    const bringing = this.store.bring([{ segment, start: 0, end: length }]);
    await bringing.arrival;
    const entry = this.store.get(segment) ?? fail('a context that is held has gone');
    const error = worstError(entry);
    if (error !== null) {
      expect(error).toBeLessThanOrEqual(WORST[this.format]);
      this.verified++;
    }
    if (this.random() < 0.8) bringing.release();
    else this.held.push(bringing);
  }

  /** What a process would find that starts now. */
  async restart(): Promise<void> {
    await this.close();
    this.store.checkIntegrity();
    expect(this.store.numTensors).toBe(0);
    await this.open();
  }

  async close(): Promise<void> {
    await this.store.close();
    const { movedBytes, pages } = this.store.info.tiers!;
    for (const [way, bytes] of Object.entries(movedBytes)) {
      this.moved.set(way, (this.moved.get(way) ?? 0) + bytes);
    }
    expect(pages).toMatchObject({ damaged: 0, notFinite: 0 });
  }

  async step(): Promise<void> {
    const draw = this.random();
    if (draw < 0.4) this.put();
    else if (draw < 0.5) this.extend();
    else if (draw < 0.75) await this.bring();
    else if (draw < 0.85) this.store.get(this.pick() ?? '');
    else if (draw < 0.9) this.clock += this.below(100_000);
    else if (draw < 0.93) await new Promise((resolve) => setTimeout(resolve, this.below(3)));
    else if (draw < 0.95) this.held.splice(0).forEach((bringing) => bringing.release());
    else if (draw < 0.96) this.store.shed();
    else if (draw < 0.985) await this.store.settled();
    else if (draw < 0.987) this.store.clear();
    else if (draw < 0.995) await this.restart();
    this.store.checkIntegrity();
    expect(this.store.size).toBe(this.segments.size);
  }

  /** Files and bytes on disk are those that are counted. */
  checkDisk(): void {
    const [name] = readdirSync(this.path);
    const files = readdirSync(join(this.path, name!)).filter((file) => file !== 'owner');
    const sizes = files.map((file) => statSync(join(this.path, name!, file)));
    expect(sizes.every(({ mode }) => (mode & 0o777) === 0o600)).toBe(true);
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBe(this.store.info.tiers!.disk.bytes);
  }
}

describe.each(kvFormats)('a store whose host memory holds %s', (format) => {
  it('keeps its books and its contents through random commands', async () => {
    const baseline = tf.memory();
    const soak = new Soak(join(folder, format), format, 7);
    await soak.open();
    for (let i = 0; i < COMMANDS; i++) {
      await soak.step();
      if (i % 50 !== 0) continue;
      await soak.store.settled();
      soak.store.checkIntegrity();
      soak.checkDisk();
      const { numTensors, numBytes } = tf.memory();
      expect(numTensors - baseline.numTensors).toBe(soak.store.numTensors);
      expect(numBytes - baseline.numBytes).toBe(soak.store.bytes);
    }
    await soak.close();
    expect(tf.memory().numTensors).toBe(baseline.numTensors);
    // It would be easy to pass by doing nothing.
    expect(soak.verified).toBeGreaterThan(COMMANDS / 10);
    expect(soak.restored).toBeGreaterThan(0);
    for (const bytes of soak.moved.values()) expect(bytes).toBeGreaterThan(0);
  });
});
