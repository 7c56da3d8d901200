// The story that `npm run demo` plays: nurses of one hospital and a colleague of another ask about the
// same guidelines. Every case in which KV can be shared beyond a prefix, and the one in which it must not.
import type { ChatTurn } from '../harness/index.ts';
import { doseGuideline, patientCards, questions, wardGuidelines } from '../samples/index.ts';

export interface DemoRequest {
  readonly name: string;
  readonly tenant: string;
  readonly user: string;
  readonly messages: readonly ChatTurn[];
}

export const demoTenants = [
  { name: 'northgate', key: 'demo-key-northgate' },
  { name: 'southside', key: 'demo-key-southside' },
] as const;

const SYSTEM = 'You are a ward assistant. Answer from the passages in one short sentence.';

const ask = (passages: readonly string[], question: string, card?: string): ChatTurn[] => [
  { role: 'system', content: SYSTEM },
  { role: 'user', content: [...(card ? [card] : []), ...passages, question].join('\n\n') },
];

export function demoRequests(): DemoRequest[] {
  const others = wardGuidelines.filter((_, i) => i !== doseGuideline.index);
  const ward = [...others.slice(0, 2), doseGuideline.before, ...others.slice(2, 5)];
  const night = others.slice(6, 12);
  const reordered = [ward[0]!, ward[4]!, ward[2]!, ward[3]!, ward[1]!, ward[5]!];
  const edited = ward.map((passage, i) => (i === 2 ? doseGuideline.after : passage));
  const [cardA, cardB, cardC] = patientCards;
  const question = (at: number): string => questions[at % questions.length]!;
  const at = (tenant: string, user: string, name: string, messages: ChatTurn[]): DemoRequest => ({
    name,
    tenant,
    user,
    messages,
  });
  return [
    at('northgate', 'esther', 'cold: nobody asked before', ask(ward, question(0), cardA)),
    at('northgate', 'esther', 'same document, new question', ask(ward, question(1), cardA)),
    at(
      'northgate',
      'bilal',
      'shifted prefix: another card in front',
      ask(ward, question(2), cardB),
    ),
    at('northgate', 'carmen', 'passages reordered', ask(reordered, question(3), cardC)),
    at('northgate', 'bilal', 'cold: the night shift’s passages', ask(night, question(4), cardB)),
    at(
      'northgate',
      'carmen',
      'two donors: half ward, half night',
      ask([...ward.slice(0, 3), ...night.slice(3, 6)], question(5), cardC),
    ),
    at('northgate', 'esther', 'an edited dose in the middle', ask(edited, question(0), cardA)),
    at('southside', 'dmitri', 'another tenant, same text', ask(ward, question(0), cardA)),
  ];
}
