// Families in which the same passages stand in another place: behind another card, in another order, together with
// those of another prompt.
import { firstQuestions, greetings, patientCards, workedSum } from '../../../samples/index.ts';
import type { QualityCase } from '../quality-case.ts';
import {
  cycled,
  family,
  guidelines,
  paragraphs,
  pickGuidelines,
  question,
  reference,
  talk,
} from './prompts.ts';

const shiftedPrefix = family('shifted_prefix', (at) => {
  const picked = pickGuidelines(100 + at, 5 + (at % 4));
  const [card, other] = [cycled(patientCards, at), cycled(patientCards, at + 3)];
  const [asked, before] = [picked[at % 4]!, picked[(at + 1) % 4]!];
  return {
    donors: [talk(paragraphs(card, ...guidelines(picked), question(before)))],
    target: talk(
      paragraphs(`${other} ${cycled(greetings, at)}`, ...guidelines(picked), question(asked)),
    ),
    reference: reference(asked),
  };
});

/** From a slight disorder to a complete one. */
const orders: readonly ((picked: readonly number[]) => number[])[] = [
  ([a, b, ...rest]) => [b!, a!, ...rest],
  ([a, ...rest]) => [...rest, a!],
  ([a, b, c, d, e, ...rest]) => [a!, e!, c!, d!, b!, ...rest],
  (picked) => [...picked].reverse(),
];

const passageReorder = family('passage_reorder', (at) => {
  const picked = pickGuidelines(200 + at, 6);
  const asked = picked[at % 6]!;
  return {
    donors: [talk(paragraphs(...guidelines(picked), question(picked[(at + 2) % 6]!)))],
    target: talk(paragraphs(...guidelines(cycled(orders, at)(picked)), question(asked))),
    reference: reference(asked),
  };
});

const multiDonor = family('multi_donor', (at) => {
  const picked = pickGuidelines(300 + at, 10);
  const [first, second] = [picked.slice(0, 5), picked.slice(5)];
  const mixed = at % 2 === 0 ? [...first.slice(0, 3), ...second.slice(0, 3)] : [];
  if (at % 2 === 1) mixed.push(...second.slice(2), ...first.slice(2));
  const asked = mixed[at % mixed.length]!;
  return {
    donors: [first, second].map((own) => talk(paragraphs(...guidelines(own), question(own[0]!)))),
    target: talk(paragraphs(...guidelines(mixed), question(asked))),
    reference: reference(asked),
  };
});

const sameDocument = family('same_doc_new_question', (at) => {
  const picked = pickGuidelines(400 + at, 5 + (at % 3));
  const asked = picked[(at + 2) % 5]!;
  const document = guidelines(picked);
  return {
    donors: [talk(paragraphs(cycled(greetings, at), ...document, question(picked[at % 5]!)))],
    target: talk(paragraphs(cycled(greetings, at + 1), ...document, question(asked))),
    reference: reference(asked),
  };
});

const fewShotReorder = family('few_shot_reorder', (at) => {
  const sums = Array.from({ length: 6 }, (_, i) => workedSum(7 * at + i));
  const examples = sums.map(
    ({ problem, solution }) => `Problem: ${problem}\nSolution: ${solution}`,
  );
  const turned = at % 2 === 0 ? [...examples.slice(2), ...examples.slice(0, 2)] : examples;
  const order = at % 4 === 1 ? [...examples].reverse() : turned;
  const swapped = at % 4 === 3 ? [...examples.slice(3), ...examples.slice(0, 3)] : order;
  const [before, asked] = [workedSum(7 * at + 31), workedSum(7 * at + 38)];
  const last = (problem: string): string => `Problem: ${problem}\nSolution:`;
  return {
    donors: [talk(paragraphs(...examples, last(before.problem)))],
    target: talk(paragraphs(...swapped, last(asked.problem))),
    reference: asked.solution,
  };
});

/** A conversation whose first question is put in other words; the answers and the rest are the same. */
const paraphrase = family('paraphrase', (at) => {
  const picked = pickGuidelines(500 + at, 5);
  const [first, later] = [guidelines(picked.slice(0, 3)), guidelines(picked.slice(3))];
  const asked = picked[at % 5]!;
  const [one, other] = cycled(firstQuestions, at);
  const rest = [
    paragraphs('The ward book says:', ...first),
    'Thank you. And what stands on the next two pages?',
    paragraphs('On the next two pages you find this:', ...later),
    question(asked),
  ];
  return {
    donors: [talk(one, ...rest)],
    target: talk(other, ...rest),
    reference: reference(asked),
  };
});

/** The same subject, other texts. */
const negativeControl = family('negative_control', (at) => {
  const picked = pickGuidelines(600 + at, 10);
  const [others, own] = [picked.slice(0, 5), picked.slice(5)];
  const asked = own[at % 5]!;
  return {
    donors: [talk(paragraphs(...guidelines(others), question(others[0]!)))],
    target: talk(paragraphs(...guidelines(own), question(asked))),
    reference: reference(asked),
  };
});

export const compositions: readonly QualityCase[] = [
  ...shiftedPrefix,
  ...passageReorder,
  ...multiDonor,
  ...sameDocument,
  ...fewShotReorder,
  ...paraphrase,
  ...negativeControl,
];
