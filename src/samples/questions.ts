// Questions to the passages, 25 to 35 tokens each.
export const questions: readonly string[] = [
  'Question: Which of these passages says when the doctor on duty has to be called at once, and what is measured first?',
  'Question: What should the nurse write down during the night, and how often does she look at a sleeping patient?',
  'Question: Which medicine may be given for this patient in the evening, how much of it, and with what precautions?',
  'Question: What must be checked before a patient is allowed to get up for the first time after a bad night?',
  'Question: Which signs named here are an emergency, and which of them can wait until the next morning round?',
  'Question: What does the family have to be told on this day, by whom, and at which hour should that happen?',
  'Question: Which of the tasks described here need two nurses, and what do the two of them compare before they sign?',
  'Question: After how many minutes or hours is a value measured for the second time, and where is the result written?',
  'Question: What has to be ready beside the bed before the work begins, and in which order are the steps then done?',
  'Question: Which patients on the ward need to be watched more closely than the others, and for what reason is that so?',
  'Question: What should a visitor or a relative never do without asking first, and whom on the ward should they ask?',
  'Question: Which numbers in these passages are upper limits, and what does the nurse do as soon as one is passed?',
];
