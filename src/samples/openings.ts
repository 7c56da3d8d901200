// How people begin: greetings that stand in front of a document, and first questions in two wordings.
export const greetings: readonly string[] = [
  'Good morning, this is Ada from the early shift. I have the ward book open in front of me.',
  'Hello, Bruno here, third week on this ward. Somebody has just asked me something and I want to be sure.',
  'Hi! It is Carla from the night team, and we are only two tonight.',
  'Good evening. My name is Dario, I help out from the surgical ward until Sunday.',
  'Edith speaking, student in the second year. My teacher wants me to read the rules again.',
  'Hello again, Felix from room service. I only need a short answer, please.',
  'Good afternoon, Greta from the front desk. A relative is standing here with me.',
  'Hugo here. I have been away for a month and do not know what has changed.',
];

/** The same request in other words. */
export const firstQuestions: readonly (readonly [string, string])[] = [
  [
    'Could you please tell me what our ward says about these subjects?',
    'I would like to know which rules our ward has for the following, if you have a moment.',
  ],
  [
    'What are the rules that I have to know for tonight?',
    'Tonight is my first shift: which instructions matter for me?',
  ],
  [
    'Show me the guidelines for a new colleague, please.',
    'A colleague has just joined us. Which guidelines should she be given?',
  ],
  [
    'Read me the pages that the head nurse has marked.',
    'The head nurse has put marks on some pages; what do they say?',
  ],
  [
    'Which pages were discussed at the last meeting?',
    'I missed the last meeting. What was read there?',
  ],
  [
    'What does the ward book say here?',
    'Please open the ward book and tell me what stands on this page.',
  ],
];
