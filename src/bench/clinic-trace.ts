// A built-in trace: nurses of two clinics ask about patients. Every ward has its own guidelines; a request holds a
// greeting with the patient's card, five to seven passages of one ward and a question, so that whatever was said before
// stands behind another beginning, now and then in another order. The same in every run.
import { patientCards, questions } from '../samples/index.ts';
import { passagesFrom } from './passages.ts';
import { randomFrom } from './random.ts';
import type { TraceRequest } from './trace-file.ts';

const TENANTS = ['northgate', 'southside'] as const;
const NURSES = ['Ada', 'Ben', 'Cleo', 'Dov'] as const;
const WARDS = 4;
const PASSAGES_PER_WARD = 9;
/** Share of requests whose passages stand in another order. */
const SHUFFLED = 0.2;
const EVERY_MS = 3_000;

const SYSTEM =
  'You are the ward assistant of a hospital. Answer from the passages in one short sentence.';

type Random = () => number;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)]!;

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const other = below(random, i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}

/** Some neighbours of a ward's guidelines. */
function passagesOf(random: Random, ward: number): string[] {
  const count = 5 + below(random, 3);
  const start = below(random, PASSAGES_PER_WARD - count + 1);
  const passages = passagesFrom(ward * PASSAGES_PER_WARD + start, count);
  return random() < SHUFFLED ? shuffled(random, passages) : passages;
}

function requestAt(random: Random, at: number): TraceRequest {
  const tenant = pick(random, TENANTS);
  const nurse = pick(random, NURSES);
  // The first wards ask most.
  const ward = Math.min(below(random, WARDS), below(random, WARDS));
  const greeting = `Hello, ${nurse} here from ward ${ward + 1}. ${pick(random, patientCards)}`;
  const content = [greeting, ...passagesOf(random, ward), pick(random, questions)].join('\n\n');
  return {
    id: `clinic-${at}`,
    t_ms: at * EVERY_MS,
    tenant,
    user: `${tenant}/${nurse}`,
    relation: 'unknown',
    donors: [],
    messages: [
      { role: 'system', content: SYSTEM },
      { role: 'user', content },
    ],
  };
}

export function clinicTrace(requests: number): TraceRequest[] {
  const random = randomFrom(6);
  return Array.from({ length: requests }, (_, at) => requestAt(random, at));
}
