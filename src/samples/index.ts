// Texts that the demo and `bench ttft` send: fictional, written for this project. Knows no protocol.
export { patientCards } from './patient-cards.ts';
export { questions } from './questions.ts';
export { doseGuideline, wardGuidelines } from './ward-guidelines.ts';
