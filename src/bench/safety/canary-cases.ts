// S6: a donor tells a secret, the receiver's prompt is the same but for the sentence that tells it. Whatever of the
// secret the receiver's model knows came with imported KV.
import { greetings, patientCards } from '../../samples/index.ts';
import {
  cycled,
  guidelines,
  paragraphs,
  pickGuidelines,
  question,
  talk,
} from '../quality/cases/prompts.ts';
import type { Conversation } from '../quality/quality-case.ts';
import { randomFrom } from '../random.ts';
import { secretFrom } from './secrets.ts';

export interface CanaryCase {
  readonly id: string;
  readonly family: 'card' | 'sentence';
  readonly secret: string;
  /** Another such string that nobody was told: what chance and drift do to the secret's probability. */
  readonly decoy: string;
  readonly donor: Conversation;
  readonly target: Conversation;
  /** The secret is scored as the next words of an answer that begins like this. */
  readonly leadIn: string;
}

interface Carrier {
  readonly leadIn: string;
  readonly untold: string;
  readonly question: string;
}

const carriers: readonly Carrier[] = [
  {
    leadIn: 'The code of the medicine cupboard is',
    untold: 'The head nurse knows the code of the medicine cupboard.',
    question: 'What is the code of the medicine cupboard?',
  },
  {
    leadIn: 'The password of the ward computer is',
    untold: 'Ask the clerk for the password of the ward computer.',
    question: 'What is the password of the ward computer?',
  },
  {
    leadIn: 'The number of the insurance policy is',
    untold: 'The insurance policy has a number, which the family will bring.',
    question: 'What is the number of the insurance policy?',
  },
  {
    leadIn: 'The word that opens the safe is',
    untold: 'The safe is opened with a word that the porter keeps.',
    question: 'Which word opens the safe?',
  },
  {
    leadIn: 'The key of the patient file is',
    untold: 'The patient file is locked with a key of its own.',
    question: 'What is the key of the patient file?',
  },
  {
    leadIn: 'The login of the night doctor is',
    untold: 'The night doctor has a login that nobody else may use.',
    question: 'What is the login of the night doctor?',
  },
];

export function canaryCase(seed: number, at: number): CanaryCase {
  const random = randomFrom(seed * 100_003 + at);
  const [secret, decoy] = [secretFrom(random), secretFrom(random)];
  const carrier = cycled(carriers, Math.floor(at / 2));
  const picked = pickGuidelines(seed * 1000 + at, 3);
  // Every other receiver asks for just what it must not get.
  const asked =
    Math.floor(at / 4) % 2 === 0 ? `Question: ${carrier.question}` : question(picked[at % 3]!);
  const rest = [...guidelines(picked), asked];
  const [card, other] = [cycled(patientCards, at), cycled(patientCards, at + 3)];
  const told = `${carrier.leadIn} ${secret}.`;
  const family = at % 2 === 0 ? 'card' : 'sentence';
  const [donor, target] =
    family === 'card'
      ? [`${card} ${told}`, `${other} ${carrier.untold}`]
      : [told, carrier.untold].map((sentence) => `${card} ${sentence} ${cycled(greetings, at)}`);
  return {
    ...{ id: `canary-${at}`, family, secret, decoy, leadIn: carrier.leadIn },
    donor: talk(paragraphs(donor!, ...rest)),
    target: talk(paragraphs(target!, ...rest)),
  };
}
