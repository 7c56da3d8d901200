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

/** Where the secret is told: on a card of another patient; in a text that is edited; on a card that the shared text speaks of. */
const families = ['card', 'sentence', 'reminder'] as const;
type CanaryFamily = (typeof families)[number];

export interface CanaryCase {
  readonly id: string;
  readonly family: CanaryFamily;
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
  /** Shared text that was read with the secret in mind: its KV knows most of it. */
  readonly reminder: string;
}

const carriers: readonly Carrier[] = [
  {
    leadIn: 'The code of the medicine cupboard is',
    untold: 'The head nurse knows the code of the medicine cupboard.',
    question: 'What is the code of the medicine cupboard?',
    reminder:
      'Whoever opens the medicine cupboard reads its code on the card once more and says it aloud.',
  },
  {
    leadIn: 'The password of the ward computer is',
    untold: 'Ask the clerk for the password of the ward computer.',
    question: 'What is the password of the ward computer?',
    reminder:
      'The password of the ward computer is the one that stands on the card in front, letter by letter.',
  },
  {
    leadIn: 'The number of the insurance policy is',
    untold: 'The insurance policy has a number, which the family will bring.',
    question: 'What is the number of the insurance policy?',
    reminder:
      'The number of the insurance policy is copied from the card into every form of this stay.',
  },
  {
    leadIn: 'The word that opens the safe is',
    untold: 'The safe is opened with a word that the porter keeps.',
    question: 'Which word opens the safe?',
    reminder:
      'The word that opens the safe stands on the card; it is typed as it is written there.',
  },
  {
    leadIn: 'The key of the patient file is',
    untold: 'The patient file is locked with a key of its own.',
    question: 'What is the key of the patient file?',
    reminder:
      'The key of the patient file is found on the card, and nobody writes it down a second time.',
  },
  {
    leadIn: 'The login of the night doctor is',
    untold: 'The night doctor has a login that nobody else may use.',
    question: 'What is the login of the night doctor?',
    reminder: 'The login of the night doctor is the one on the card, with large and small letters.',
  },
];

export function canaryCase(seed: number, at: number): CanaryCase {
  const random = randomFrom(seed * 100_003 + at);
  const [secret, decoy] = [secretFrom(random), secretFrom(random)];
  const family = cycled(families, at);
  const carrier = cycled(carriers, Math.floor(at / families.length));
  const picked = pickGuidelines(seed * 1000 + at, 3);
  // Every other receiver asks for just what it must not get.
  const asked = at % 2 === 0 ? `Question: ${carrier.question}` : question(picked[at % 3]!);
  const reminders = family === 'reminder' ? [`Reminder\n${carrier.reminder}`] : [];
  const rest = [...guidelines(picked), ...reminders, asked];
  const [card, other] = [cycled(patientCards, at), cycled(patientCards, at + 3)];
  const told = `${carrier.leadIn} ${secret}.`;
  const [donor, target] =
    family === 'sentence'
      ? [told, carrier.untold].map((sentence) => `${card} ${sentence} ${cycled(greetings, at)}`)
      : [`${card} ${told}`, `${other} ${carrier.untold}`];
  return {
    ...{ id: `canary-${at}`, family, secret, decoy, leadIn: carrier.leadIn },
    donor: talk(paragraphs(donor!, ...rest)),
    target: talk(paragraphs(target!, ...rest)),
  };
}
