// Policy `semantic` with the real tokenizer and the real word vectors: it takes words for others where a text was
// reworded, and none where an edit turned what it says. Planned only, nothing is computed.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wordLlamaEmbedder } from '../../src/embed/index.ts';
import { openGguf } from '../../src/gguf/index.ts';
import { resolveModel } from '../../src/model-files/index.ts';
import type { PolicyName } from '../../src/protocol/index.ts';
import { openSimilar, Replay, replayRunner, textReader } from '../../src/replay/index.ts';
import { optionsOf } from '../../src/reuse/index.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';
import { VectorIndexes } from '../../src/vectors/index.ts';

const advice =
  'Before you enter the room, please wash your hands with warm water and soap for as long as it takes to sing a ' +
  'song. Do the same again when you go home, because visitors carry germs that harm people whose bodies are weak. ' +
  'Keep the door shut and speak softly, since patients need rest to get well.';

const cacheDir = join(homedir(), '.cache', 'kvshare');
let tokenizer: Tokenizer;
let meaning: Parameters<typeof openSimilar>[0];
beforeAll(async () => {
  const file = await openGguf((await resolveModel({ cacheDir })).path);
  tokenizer = loadTokenizer(file);
  await file.close();
  const embedder = await wordLlamaEmbedder(cacheDir);
  meaning = { embedder, vectors: new VectorIndexes({ dimension: embedder.dimension }) };
}, 300_000);
afterAll(async () => {
  await meaning.vectors.close();
  await meaning.embedder.close();
});

/** The second of two prompts, behind another card. */
async function planned(policy: PolicyName, before: string, after: string) {
  const similar = openSimilar(meaning, tokenizer);
  const replay = new Replay({
    ...{ reuse: optionsOf(policy), shared: false, runner: replayRunner, similar },
    ...{ tokenClasses: tokenizer.tokenClasses, readText: textReader(tokenizer) },
  });
  const ask = (user: string, card: string, text: string) => {
    const content = `${card}\n\n${text}\n\nWhat should a visitor do?`;
    const prompt = tokenizer.encodeChat([{ role: 'user', content }]);
    return replay.serve({ tenant: 'ward', user, at: 0, ...prompt });
  };
  await ask('ann', 'Card of the ward: quiet bed by the window, sleeps badly.', before);
  const second = await ask('ben', 'A guest asks at the desk about rules.', after);
  await similar.close();
  return second;
}

describe('policy semantic on real vectors', () => {
  it.each([
    ['one word', advice.replace('wash', 'rinse')],
    [
      'several words',
      advice
        .replace('wash', 'clean')
        .replace('speak softly', 'talk quietly')
        .replace('harm', 'hurt'),
    ],
  ])('finds reuse in a text with %s reworded, where equal runs do not pay', async (_, reworded) => {
    expect((await planned('edit-closure', advice, reworded)).decision.importedTokens).toBe(0);
    const { decision, unequal } = await planned('semantic', advice, reworded);
    expect(decision.plan).toMatchObject({ policy: 'semantic', fullLayers: 1 });
    expect(decision.plan!.imports.filter(({ exact }) => !exact)).not.toHaveLength(0);
    expect(unequal).toBeGreaterThan(0);
  });

  it.each([
    ['a negation', 'patients need rest', 'nobody needs rest'],
    ['a missing apostrophe', 'Do the same again', 'Dont do it again'],
    ['a choice', 'Before you enter', 'After you enter'],
    ['opposite words', 'warm water', 'cold water'],
    ['an opposite prefix', 'whose bodies are weak', 'whose bodies are unweak'],
    ['a time', 'when you go home', 'tomorrow at home'],
    ['a number in words', 'to sing a song', 'to sing two songs'],
    ['a digit of another script', 'for as long as it takes to sing a song', 'for ５ minutes or so'],
    ['a name', 'because visitors carry germs', 'because Anna carries germs'],
    ['a name at the start of a sentence', 'Keep the door', 'Anna’s the door'],
    ['swapped slots', 'warm water and soap', 'warm soap and water'],
    ['code', 'speak softly', 'speak_softly'],
  ])('takes nothing for anything else where %s differs', async (_, from, to) => {
    const flipped = advice.replace(from, to);
    expect(flipped).not.toBe(advice);
    expect((await planned('semantic', advice, flipped)).unequal).toBe(0);
    expect((await planned('semantic', flipped, advice)).unequal).toBe(0);
  });
});
