// Questions to the passages, 25 to 35 tokens each.
export const questions: readonly string[] = [
  'Question: Which of these passages says when the doctor on duty has to be called at once, and what is measured first?',
  'Question: What should the nurse write down during the night, and how often does she look at a sleeping patient?',
  'Question: Which medicine may be given for this patient in the evening, how much of it, and with what precautions?',
  'Question: What must be checked before a patient is allowed to get up for the first time after a bad night?',
  'Question: Which signs named here are an emergency, and which of them can wait until the next morning round?',
  'Question: What does the family have to be told on this day, by whom, and at which hour should that happen?',
];
