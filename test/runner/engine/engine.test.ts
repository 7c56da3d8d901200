import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { oracleForward } from '../../support/oracle.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';
import { worst } from '../../support/worst.ts';

const never = new AbortController().signal;

const tokensOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i % 5) * seed) % TINY_VOCABULARY);

describe('engine against the plain-TypeScript oracle', () => {
  it('computes the logits of a full prefill, in one chunk or many', async () => {
    const tokens = tokensOf(37, 3);
    for (const chunkTokens of [256, 8, 1]) {
      const { engine, model, oracle } = await tinyEngine({ chunkTokens });
      await collect(engine.generate(requestOf(tokens), never));
      expect(worst(model.lastLogits, oracleForward(oracle, tokens).logits)).toBeLessThan(1e-4);
    }
  });

  it('equals full prefill when everything is recomputed over an import, and when all is in place', async () => {
    const { engine, model } = await tinyEngine();
    const tokens = tokensOf(40, 5);
    const first = await collect(engine.generate(requestOf(tokens), never));
    const full = model.lastLogits.slice();
    const segment = first.stored!.segment;
    const moved = { segment, donorStart: 0, targetStart: 0, length: 39, exact: true };

    const all = planOf(40, [moved], [{ start: 0, end: 40 }], FINGERPRINT);
    const again = await collect(engine.generate(requestOf(tokens, { plan: all }), never));
    expect(worst(model.lastLogits, full)).toBeLessThan(1e-5);
    expect(again.receipt.recomputedTokens).toBe(40);
    expect(again.receipt.chargedRecompute).toBe(1);

    const inPlace = planOf(40, [moved], [], FINGERPRINT);
    const last = await collect(engine.generate(requestOf(tokens, { plan: inPlace }), never));
    expect(worst(model.lastLogits, full)).toBeLessThan(1e-4);
    expect(last.receipt).toMatchObject({ exactTokens: 39, importedTokens: 0, recomputedTokens: 1 });
  });

  it('follows random plans over two donors exactly as the oracle does', async () => {
    const { engine, model, oracle } = await tinyEngine({ chunkTokens: 16 });
    const donors = await Promise.all(
      [1, 2].map(async (seed) => {
        const tokens = tokensOf(48, seed);
        const { stored } = await collect(engine.generate(requestOf(tokens), never));
        return { tokens, segment: stored!.segment, kv: oracleForward(oracle, tokens).kv };
      }),
    );
    const piece = fc.record({
      gap: fc.integer({ min: 0, max: 6 }),
      donor: fc.integer({ min: 0, max: 1 }),
      donorStart: fc.integer({ min: 0, max: 40 }),
      length: fc.integer({ min: 1, max: 20 }),
    });
    const plans = fc.record({
      pieces: fc.array(piece, { minLength: 1, maxLength: 4 }),
      fresh: fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 5 })), { maxLength: 4 }),
      tail: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ pieces, fresh, tail }) => {
        const target: number[] = [];
        const imports = [];
        for (const { gap, donor, donorStart, length } of pieces) {
          target.push(...tokensOf(gap, 9));
          const taken = donors[donor]!.tokens.slice(donorStart, donorStart + length);
          const targetStart = target.length;
          imports.push({ donor, donorStart, targetStart, length: taken.length });
          target.push(...taken);
        }
        target.push(...tokensOf(tail, 8));
        const extra = fresh
          .map(([start, length]) => ({ start, end: Math.min(start + length, target.length) }))
          .filter(({ start, end }) => start < end);
        const plan = planOf(
          target.length,
          imports.map(({ donor, ...rest }) => ({
            ...rest,
            segment: donors[donor]!.segment,
            exact: false,
          })),
          extra,
          FINGERPRINT,
        );
        await collect(engine.generate(requestOf(target, { plan, store: false }), never));
        const positions = plan.recompute.flatMap(({ start, end }) =>
          Array.from({ length: end - start }, (_, i) => start + i),
        );
        const expected = oracleForward(
          oracle,
          target,
          imports.map(({ donor, ...rest }) => ({ ...rest, donor: donors[donor]!.kv })),
          positions,
        );
        expect(worst(model.lastLogits, expected.logits)).toBeLessThan(1e-3);
      }),
      { numRuns: 40 },
    );
  });

  it('decodes greedily like repeated full prefill', async () => {
    const { engine, oracle } = await tinyEngine();
    const tokens = tokensOf(12, 2);
    const answer = await collect(
      engine.generate(requestOf(tokens, { sampling: { maxTokens: 6 } }), never),
    );
    const expected: number[] = [];
    for (let i = 0; i < 6; i++) {
      const { logits } = oracleForward(oracle, [...tokens, ...expected]);
      expected.push(logits.indexOf(Math.max(...logits)));
    }
    expect(answer.tokens).toEqual(expected);
    expect(answer.end).toBe('length');
  });
});

describe('engine bookkeeping', () => {
  it('accounts for every tensor: baseline plus what is stored', async () => {
    const { engine, tf, model } = await tinyEngine();
    const baseline = tf.memory().numTensors;
    const tokens = tokensOf(30, 4);
    const { stored } = await collect(
      engine.generate(requestOf(tokens, { sampling: { maxTokens: 5 } }), never),
    );
    expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);
    const plan = planOf(
      32,
      [{ segment: stored!.segment, donorStart: 2, targetStart: 5, length: 20, exact: false }],
      [],
      FINGERPRINT,
    );
    const target = [...tokensOf(5, 7), ...tokens.slice(2, 22), ...tokensOf(7, 6)];
    await collect(engine.generate(requestOf(target, { plan }), never));
    expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);
    engine.store.checkIntegrity();
    engine.store.clear();
    expect(tf.memory().numTensors).toBe(baseline);
    expect(engine.store.bytes).toBe(0);
    expect(model.passes).toBeGreaterThan(0);
  });

  it('stores a follow-up turn without storing its prefix again', async () => {
    const { engine } = await tinyEngine();
    const tokens = tokensOf(30, 4);
    const first = await collect(
      engine.generate(requestOf(tokens, { sampling: { maxTokens: 4 } }), never),
    );
    // The last sampled token has no KV yet.
    expect(first.stored!.tokens).toEqual([...tokens, ...first.tokens.slice(0, 3)]);
    expect(first.stored!.exactTokens).toBe(33);
    const before = engine.store.bytes;
    const target = [...first.stored!.tokens, ...tokensOf(10, 6)];
    const entry = { segment: first.stored!.segment, donorStart: 0, targetStart: 0, length: 33 };
    const plan = planOf(43, [{ ...entry, exact: true }], [], FINGERPRINT);
    const second = await collect(engine.generate(requestOf(target, { plan }), never));
    expect(second.stored!.exactTokens).toBe(43);
    expect(engine.store.bytes - before).toBe((before / 33) * 10);
    engine.store.checkIntegrity();
  });

  it('marks KV computed over approximate KV and lets only what begins with the same tokens go on from it', async () => {
    const { engine } = await tinyEngine();
    const tokens = tokensOf(30, 4);
    const donor = await collect(engine.generate(requestOf(tokens), never));
    const target = [...tokensOf(6, 7), ...tokens.slice(5, 25), ...tokensOf(4, 6)];
    const moved = { segment: donor.stored!.segment, donorStart: 5, targetStart: 6, length: 20 };
    const plan = planOf(30, [{ ...moved, exact: false }], [{ start: 6, end: 9 }], FINGERPRINT);
    const reused = await collect(engine.generate(requestOf(target, { plan }), never));
    expect(reused.stored!.exactTokens).toBe(9);

    const next = [...target, ...tokensOf(5, 3)];
    const segment = reused.stored!.segment;
    const imports = [
      { segment, donorStart: 0, targetStart: 0, length: 9, exact: true },
      { segment, donorStart: 9, targetStart: 9, length: 21, exact: false },
    ];
    const on = planOf(35, imports, [], FINGERPRINT);
    const own = await collect(engine.generate(requestOf(next, { plan: on }), never));
    expect(own.receipt).toMatchObject({ exactTokens: 9, importedTokens: 21, recomputedTokens: 5 });
    expect(own.stored!.exactTokens).toBe(9);
    const others = requestOf(next, { plan: on, owner: 'owner-b' });
    expect((await collect(engine.generate(others, never))).receipt).toEqual({
      ...own.receipt,
      timings: expect.anything(),
    });
    // The same tokens behind another beginning are not the same KV.
    const [first, ...rest] = imports;
    const edited = next.with(3, next[3]! + 1);
    const off = planOf(
      35,
      [{ ...first!, length: 3 }, ...rest],
      [{ start: 3, end: 9 }],
      FINGERPRINT,
    );
    expect(() => engine.generate(requestOf(edited, { plan: off }), never)).toThrow(
      expect.objectContaining({ code: 'plan_invalid' }),
    );
    engine.store.checkIntegrity();
  });

  it('evicts the least recently used context before it allocates, and says so', async () => {
    const perToken = 3 * 2 * 2 * 8 * 4;
    // Two contexts and one that is being computed.
    const { engine, tf } = await tinyEngine({ maxKvBytes: perToken * 100 });
    const baseline = tf.memory().numTensors;
    const watch = new AbortController();
    const evicted: string[] = [];
    const watching = (async () => {
      for await (const event of engine.watch(watch.signal)) {
        if (event.type === 'evicted') evicted.push(...event.segments);
      }
    })();
    const segments: string[] = [];
    for (const seed of [1, 2, 3]) {
      const { stored } = await collect(engine.generate(requestOf(tokensOf(30, seed)), never));
      segments.push(stored!.segment);
    }
    expect(engine.store.bytes).toBe(perToken * 60);
    expect(engine.store.get(segments[0]!)).toBeUndefined();
    expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);

    // It would have to be there twice: as its own KV, and as what is kept.
    const huge = await collect(engine.generate(requestOf(tokensOf(60, 5)), never));
    expect(huge.stored).toBeUndefined();
    expect(huge.end).toBe('length');
    expect(engine.store.size).toBe(1);
    engine.store.checkIntegrity();
    watch.abort();
    await watching;
    // The last one still fits beside the huge one.
    expect(evicted).toEqual(segments.slice(0, 2));

    // A plan that names the evicted segment is answered cold, and the receipt says why.
    const entry = { segment: segments[0]!, donorStart: 0, targetStart: 0, length: 20, exact: true };
    const plan = planOf(30, [entry], [], FINGERPRINT);
    const { receipt } = await collect(engine.generate(requestOf(tokensOf(30, 1), { plan }), never));
    expect(receipt).toMatchObject({
      exactTokens: 0,
      importedTokens: 0,
      recomputedTokens: 30,
      degraded: 'segment-evicted',
      missingSegments: [segments[0]],
    });
  });

  it('refuses hostile plans before any tensor is touched', async () => {
    const { engine, tf, model } = await tinyEngine();
    const tokens = tokensOf(30, 4);
    const { stored } = await collect(engine.generate(requestOf(tokens), never));
    const segment = stored!.segment;
    const good = { segment, donorStart: 0, targetStart: 0, length: 20, exact: true };
    const base = planOf(30, [good], [], FINGERPRINT);
    const entry = (change: object) => ({ ...base, imports: [{ ...good, ...change }] });
    const hostile: [string, object][] = [
      [
        'plan_out_of_bounds',
        { ...planOf(30, [{ ...good, length: 29, donorStart: 15 }], [], FINGERPRINT) },
      ],
      ['plan_invalid', entry({ donorStart: 3, exact: false })],
      ['plan_invalid', entry({ length: -1 })],
      ['plan_invalid', entry({ length: 1.5 })],
      ['plan_invalid', entry({ donorStart: 2 ** 53 })],
      ['plan_unknown_segment', entry({ segment: 'gen-a.999' })],
      ['plan_unknown_segment', entry({ segment: 'nonsense' })],
      ['plan_fingerprint_mismatch', { ...base, fingerprint: 'other' }],
      ['plan_version_unsupported', { ...base, version: 2 }],
    ];
    const before = { passes: model.passes, tensors: tf.memory().numTensors };
    for (const [code, plan] of hostile) {
      let thrown: unknown;
      try {
        engine.generate(requestOf(tokens, { plan: plan as never }), never);
      } catch (error) {
        thrown = error;
      }
      expect([code, (thrown as { code?: string } | undefined)?.code]).toEqual([
        code,
        // Bounds may be found by the shape check first; both are refusals.
        code === 'plan_out_of_bounds' ? expect.stringMatching(/^plan_/) : code,
      ]);
    }
    expect(() =>
      engine.generate(requestOf(tokens, { plan: base, scope: 'scope-b' }), never),
    ).toThrow(expect.objectContaining({ code: 'plan_unknown_segment' }));
    expect({ passes: model.passes, tensors: tf.memory().numTensors }).toEqual(before);
    // Positive control: the same plan in its own scope is served.
    const { receipt } = await collect(engine.generate(requestOf(tokens, { plan: base }), never));
    expect(receipt.exactTokens).toBe(20);
  });

  it('cancels within one step and forgets the request', async () => {
    const { engine, tf } = await tinyEngine();
    const baseline = tf.memory().numTensors;
    const abort = new AbortController();
    const seen: string[] = [];
    const request = requestOf(tokensOf(20, 4), { store: false, sampling: { maxTokens: 400 } });
    for await (const event of engine.generate(request, abort.signal)) {
      seen.push(event.type);
      if (event.type === 'token') abort.abort();
    }
    expect(seen.filter((type) => type === 'token').length).toBeLessThanOrEqual(2);
    expect(seen.at(-1)).toBe('end');
    expect(tf.memory().numTensors).toBe(baseline);
    expect((await engine.info()).requests).toEqual({ running: 0, waiting: 0 });
  });

  it('serves several requests at once with the answers each would get alone', async () => {
    const { engine } = await tinyEngine({ chunkTokens: 8 });
    const prompts = [1, 2, 3, 4, 5, 6].map((seed) => tokensOf(20 + seed, seed));
    const ask = (tokens: number[]) =>
      collect(
        engine.generate(requestOf(tokens, { store: false, sampling: { maxTokens: 8 } }), never),
      );
    const alone = [];
    for (const tokens of prompts) alone.push((await ask(tokens)).tokens);
    const together = await Promise.all(prompts.map(ask));
    expect(together.map(({ tokens }) => tokens)).toEqual(alone);
  });

  it('sheds stored KV and computes once more, cold, when a prefill fails; fails the request the second time', async () => {
    const faults: unknown[] = [];
    const { engine, model } = await tinyEngine({ onFault: (error) => faults.push(error) });
    const tokens = tokensOf(40, 5);
    const first = await collect(engine.generate(requestOf(tokens), never));
    for (const seed of [6, 7, 8])
      await collect(engine.generate(requestOf(tokensOf(40, seed)), never));
    const bytes = engine.store.bytes;
    const { segment } = first.stored!;
    const entry = { segment, donorStart: 0, targetStart: 3, length: 36, exact: false };
    const target = [1, 2, 3, ...tokens.slice(0, 36), 4];
    const plan = planOf(40, [entry], [], FINGERPRINT);
    const forward = model.forward.bind(model);
    const failing = (times: number): void => {
      let left = times;
      model.forward = (input) => {
        if (left-- > 0) throw new Error('no memory');
        return forward(input);
      };
    };
    failing(1);
    const { receipt, end } = await collect(
      engine.generate(requestOf(target, { plan, store: false }), never),
    );
    expect(end).toBe('length');
    expect(receipt).toMatchObject({
      importedTokens: 0,
      recomputedTokens: 40,
      degraded: 'import-failed',
    });
    expect(engine.store.bytes).toBeLessThanOrEqual(bytes / 2);
    expect(faults).toHaveLength(1);
    failing(2);
    const events = [];
    for await (const event of engine.generate(requestOf(target), never)) events.push(event);
    expect(events).toEqual([expect.objectContaining({ type: 'error', code: 'runner_failed' })]);
    expect((await collect(engine.generate(requestOf(target), never))).end).toBe('length');
  });

  it('begins the shortest waiting prompt of a scope first, in order of arrival under fifo', async () => {
    for (const scheduler of ['reuse-aware', 'fifo'] as const) {
      const { engine } = await tinyEngine({ scheduler, maxRunning: 1, chunkTokens: 8 });
      const ended: string[] = [];
      const ask = async (name: string, length: number): Promise<void> => {
        const request = requestOf(tokensOf(length, 3), { store: false });
        await collect(engine.generate(request, never));
        ended.push(name);
      };
      await Promise.all([ask('first', 60), ask('long', 50), ask('short', 12)]);
      const expected = {
        'reuse-aware': ['first', 'short', 'long'],
        fifo: ['first', 'long', 'short'],
      };
      expect(ended).toEqual(expected[scheduler]);
    }
  });

  it('reads a long prompt in small steps while somebody decodes', async () => {
    const { engine, model } = await tinyEngine({ chunkTokens: 64, sharedChunkTokens: 4 });
    const rows: number[] = [];
    const forward = model.forward.bind(model);
    model.forward = (input) => {
      if (input.ids.length > 1) rows.push(input.ids.length);
      return forward(input);
    };
    const decoding = engine.generate(
      requestOf(tokensOf(20, 1), { store: false, sampling: { maxTokens: 30 } }),
      never,
    );
    const other = new Promise<void>((resolve, reject) => {
      void (async () => {
        for await (const event of decoding) {
          if (event.type !== 'token') continue;
          await collect(engine.generate(requestOf(tokensOf(40, 2), { store: false }), never));
          resolve();
        }
      })().catch(reject);
    });
    await other;
    expect(rows[0]).toBe(20);
    expect(rows.slice(1, 6)).toEqual([4, 4, 4, 4, 4]);
    await engine.close();
  });

  it.each([8, 20, 100])('measures its speed with a context of %i tokens', async (contextLength) => {
    const { engine, tf } = await tinyEngine({ contextLength });
    const baseline = tf.memory().numTensors;
    await engine.calibrate();
    const { speeds } = await engine.info();
    expect(speeds.prefillMsPerToken).toBeGreaterThan(0);
    expect(speeds.prefillFixedMs).toBeGreaterThanOrEqual(0);
    expect(tf.memory().numTensors).toBe(baseline);
  });

  it('samples the same tokens for the same seed and stops at stop tokens', async () => {
    const { engine } = await tinyEngine();
    const ask = (seed: number, stopTokens: number[] = []) =>
      collect(
        engine.generate(
          requestOf(tokensOf(20, 4), {
            sampling: { temperature: 1.5, topP: 0.95, seed, maxTokens: 12, stopTokens },
          }),
          never,
        ),
      );
    const [a, b, c] = [await ask(1), await ask(1), await ask(2)];
    expect(a.tokens).toEqual(b.tokens);
    expect(a.tokens).not.toEqual(c.tokens);
    const stop = a.tokens[3]!;
    const stopped = await ask(1, [stop]);
    expect(stopped.tokens).toEqual(a.tokens.slice(0, a.tokens.indexOf(stop)));
    expect(stopped.end).toBe('stop');
  });
});
