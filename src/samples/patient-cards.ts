// Patient cards of people who do not exist, 30 to 40 tokens each.
export const patientCards: readonly string[] = [
  'Patient card: Ms Adair, born 1951, 61 kg, no allergies known, second night on the ward, asks about going home.',
  'Patient card: Mr Bello, born 1948, 83 kg, allergic to latex, came after a fall on the stairs, walks with a frame.',
  'Patient card: Ms Castell, born 1966, 70 kg, allergic to nuts, fever since Tuesday, daughter visits in the evening.',
  'Patient card: Mr Dunmore, born 1939, 58 kg, no allergies known, hears badly on the left, sleeps little.',
  'Patient card: Ms Ekberg, born 1972, 66 kg, allergic to iodine, short of breath at night, two pillows.',
  'Patient card: Mr Farrow, born 1957, 91 kg, no allergies known, new wound on the right heel, eats half.',
  'Patient card: Ms Greenlaw, born 1944, 54 kg, allergic to plasters, ankle swollen since Friday, likes the window open at night.',
  'Patient card: Mr Hallam, born 1963, 77 kg, no allergies known, dizzy after meals, reads the paper to his neighbour.',
];
