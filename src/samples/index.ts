// Texts that the demo and the benchmarks send: fictional, written for this project. Knows no protocol.
export { guidelineQuestions } from './guideline-questions.ts';
export { entityNotices, negationNotices, numberNotices } from './notices.ts';
export type { Notice } from './notices.ts';
export { firstQuestions, greetings } from './openings.ts';
export { patientCards } from './patient-cards.ts';
export { questions } from './questions.ts';
export { doseGuideline, wardGuidelines } from './ward-guidelines.ts';
export { workedSum } from './worked-sums.ts';
