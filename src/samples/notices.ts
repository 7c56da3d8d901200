// Notices in which one value decides the answer to a question: what edits are tried on. The sentence behind the
// value is about it without naming it; for edits far from their consequences it stands in a paragraph of its own.
export interface Notice {
  /** With the value in it. */
  readonly text: (value: string) => string;
  readonly consequence: string;
  readonly question: string;
  /** [before, after] the edit, as they stand in the text. */
  readonly values: readonly (readonly [string, string])[];
  /** What the answer begins with for a value; absent = the value. */
  readonly answer?: (value: string) => string;
}

export const entityNotices: readonly Notice[] = [
  {
    text: (day) => `The lift of the east wing is repaired on ${day}. The work begins at seven.`,
    consequence: 'On the day of the repair all beds go through the kitchen corridor.',
    question: 'On which day is the lift repaired? Answer with one word.',
    values: [
      ['Monday', 'Thursday'],
      ['Friday', 'Tuesday'],
      ['Wednesday', 'Saturday'],
    ],
  },
  {
    text: (name) => `The new head nurse of the ward is called ${name}. She starts next week.`,
    consequence: 'Every change of the roster is sent to the head nurse before noon.',
    question: 'What is the name of the new head nurse? Answer with the name only.',
    values: [
      ['Hanna', 'Laura'],
      ['Emma', 'Sarah'],
      ['Julia', 'Maria'],
    ],
  },
  {
    text: (colour) => `The folder for urgent letters is ${colour}. It lies beside the telephone.`,
    consequence: 'Whoever puts a letter into that folder tells the secretary.',
    question: 'Which colour does the folder for urgent letters have? Answer with one word.',
    values: [
      ['green', 'red'],
      ['blue', 'yellow'],
      ['black', 'white'],
    ],
  },
  {
    text: (town) => `The central laboratory has moved to ${town}. A driver comes twice in a day.`,
    consequence: 'Samples that miss the driver are sent to the same town by taxi.',
    question: 'To which town has the laboratory moved? Answer with the town only.',
    values: [
      ['London', 'Paris'],
      ['Berlin', 'Madrid'],
      ['Rome', 'Vienna'],
    ],
  },
  {
    text: (food) =>
      `The cook serves ${food} on the day of the summer party. It is free for guests.`,
    consequence: 'Patients who may not eat that dish get soup instead.',
    question: 'What does the cook serve at the summer party? Answer with one word.',
    values: [
      ['fish', 'chicken'],
      ['pizza', 'rice'],
      ['pasta', 'fish'],
    ],
  },
  {
    text: (month) => `The fire drill takes place in ${month}. Nobody is told the hour.`,
    consequence: 'In that month no holidays are given to the night shift.',
    question: 'In which month does the fire drill take place? Answer with one word.',
    values: [
      ['March', 'October'],
      ['May', 'September'],
      ['June', 'November'],
    ],
  },
  {
    text: (room) => `The key of the store room hangs in the ${room}. It must not leave the ward.`,
    consequence: 'A missing key is looked for there first and then reported.',
    question: 'In which room does the key of the store room hang? Answer with one word.',
    values: [
      ['kitchen', 'office'],
      ['office', 'library'],
      ['cellar', 'kitchen'],
    ],
  },
];

export const numberNotices: readonly Notice[] = [
  {
    text: (dose) => `From today the evening dose of sedapan is ${dose} mg. It is taken with water.`,
    consequence: 'The old boxes are sent back, for their label names another dose.',
    question: 'How many mg of sedapan are given in the evening? Answer with the number.',
    values: [
      ['20', '50'],
      ['15', '40'],
      ['75', '30'],
    ],
  },
  {
    text: (room) => `The meeting of the night shift is held in room ${room}. Tea is provided.`,
    consequence: 'The room is locked again when the meeting is over.',
    question: 'In which room is the meeting held? Answer with the number.',
    values: [
      ['12', '47'],
      ['31', '58'],
      ['64', '26'],
    ],
  },
  {
    text: (beds) => `After the rebuilding the ward has ${beds} beds. Two of them are for children.`,
    consequence: 'The staff is planned anew for that number of beds.',
    question: 'How many beds does the ward have after the rebuilding? Answer with the number.',
    values: [
      ['24', '36'],
      ['18', '42'],
      ['30', '16'],
    ],
  },
  {
    text: (year) => `The present building was opened in ${year}. The roof is still the first one.`,
    consequence: 'All cables in the walls are as old as the building.',
    question: 'In which year was the building opened? Answer with the number.',
    values: [
      ['1962', '1987'],
      ['1974', '1951'],
      ['1990', '1968'],
    ],
  },
  {
    text: (price) => `Parking at the hospital costs ${price} euros a day. The first hour is free.`,
    consequence: 'Visitors who stay for a week pay five times that price.',
    question: 'How many euros does parking cost for a day? Answer with the number.',
    values: [
      ['6', '9'],
      ['12', '7'],
      ['8', '15'],
    ],
  },
  {
    text: (hours) =>
      `A sample may wait for ${hours} hours in the cold box. The box is closed at once.`,
    consequence: 'Whatever has waited for longer is thrown away.',
    question: 'How many hours may a sample wait in the cold box? Answer with the number.',
    values: [
      ['4', '6'],
      ['3', '8'],
      ['9', '5'],
    ],
  },
  {
    text: (number) => `The technician on duty has the number ${number}. He answers until midnight.`,
    consequence: 'After midnight the porter answers for the technician.',
    question: 'Which number does the technician on duty have? Answer with the number.',
    values: [
      ['310', '745'],
      ['528', '164'],
      ['937', '402'],
    ],
  },
];

const yesOrNo = (value: string): string => (value.includes('not') ? 'No' : 'Yes');

const rule = (before: string, after: string, consequence: string, question: string): Notice => ({
  text: (value) => `${before} ${value} ${after}`,
  consequence,
  question: `${question} Answer with yes or no.`,
  values: [
    ['are', 'are not'],
    ['are not', 'are'],
  ],
  answer: yesOrNo,
});

export const negationNotices: readonly Notice[] = [
  rule(
    'Dogs',
    'allowed in the garden. The gate is closed at dusk.',
    'A sign at the gate tells visitors the rule.',
    'Are dogs allowed in the garden?',
  ),
  rule(
    'Phones',
    'permitted in the day room. Music is played softly.',
    'Guests are told this rule at the desk.',
    'Are phones permitted in the day room?',
  ),
  rule(
    'The windows of the second floor',
    'locked in the night. The porter goes round at ten.',
    'The night shift writes down whoever asks about it.',
    'Are the windows of the second floor locked in the night?',
  ),
  rule(
    'Children under ten',
    'admitted to the intensive ward. Exceptions need a doctor.',
    'Families hear of this rule on the telephone.',
    'Are children under ten admitted to the intensive ward?',
  ),
  rule(
    'Gloves',
    'required for this cream. It is kept in the fridge.',
    'The same holds for the patient and for relatives.',
    'Are gloves required for this cream?',
  ),
  rule(
    'The stairs of the north wing',
    'open this week. Painters are at work there.',
    'Beds are moved through the main hall in any case.',
    'Are the stairs of the north wing open this week?',
  ),
  rule(
    'Night visits',
    'free of charge. They are booked at the desk.',
    'The desk writes a receipt whenever one is wanted.',
    'Are night visits free of charge?',
  ),
  rule(
    'The old tablets',
    'safe for patients with asthma. The box says so as well.',
    'The pharmacist repeats this when the box is handed over.',
    'Are the old tablets safe for patients with asthma?',
  ),
  rule(
    'Students',
    'allowed to give injections. A nurse is always in the room.',
    'Each student signs that the rule has been read.',
    'Are students allowed to give injections?',
  ),
  rule(
    'Hot drinks',
    'served in the waiting room. Water stands on the table.',
    'The cups are collected every hour.',
    'Are hot drinks served in the waiting room?',
  ),
];
