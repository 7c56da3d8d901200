// One question to each ward guideline, in their order, and the answer that stands in it: references for
// `bench quality`.
export interface GuidelineQuestion {
  readonly question: string;
  readonly answer: string;
}

const ask = (question: string, answer: string): GuidelineQuestion => ({ question, answer });

export const guidelineQuestions: readonly GuidelineQuestion[] = [
  ask(
    'What is measured at once when a patient has fallen?',
    'Pulse, pressure and alertness are measured at once, after ten minutes and again after one hour.',
  ),
  ask(
    'How much should a patient over seventy drink in a day?',
    'The aim is 1500 ml in a day unless the doctor has written another number.',
  ),
  ask(
    'When is the usual dose of candesol given, and with what?',
    'The usual dose is given at nine in the evening, with water and a light snack.',
  ),
  ask(
    'What has to happen before the first dose of an antibiotic?',
    'Blood cultures are taken before the first dose of an antibiotic and never afterwards.',
  ),
  ask(
    'Which oxygen target holds for patients with long lung disease?',
    'For patients with long lung disease the target lies between 88 and 92 per cent.',
  ),
  ask('How is a wet wound covered?', 'A wet wound is covered with foam that stays for two days.'),
  ask(
    'From which number on is pain treated, and when is the question asked again?',
    'A number above three is treated, and the question is asked again after half an hour.',
  ),
  ask(
    'When is an isolation room free again?',
    'The room is free again when two tests, three days apart, have found nothing.',
  ),
  ask(
    'When is the letter home written, and to whom is it read?',
    'The letter is written on the day before discharge and read to the patient.',
  ),
  ask(
    'How often is the ward looked at in the night?',
    'Between eleven and five the ward is looked at every two hours.',
  ),
  ask(
    'What happens when an order reaches the kitchen after ten?',
    'A late order means the plain menu.',
  ),
  ask(
    'How often is a patient with lasting redness of the skin turned?',
    'Such a patient is turned every two hours, also in the night, and the times are signed.',
  ),
  ask(
    'What is done when the sugar is below 80 before breakfast?',
    'Below 80 no dose of glucorin is given and the patient gets juice at once.',
  ),
  ask('At which hours are visits welcome?', 'Visits are welcome from two until seven.'),
  ask(
    'How soon does the doctor see a patient who is suddenly confused?',
    'The doctor sees the patient within one hour.',
  ),
  ask(
    'Where does the hand-over take place, and how long does it last?',
    'The hand-over takes place at the bed and lasts twenty minutes.',
  ),
  ask(
    'When is the bag of a catheter emptied?',
    'It is emptied at two thirds, with fresh gloves and a clean jug for each patient.',
  ),
  ask(
    'In which order are the blood tubes filled?',
    'Blue tubes are filled first, then red, then purple, each to the line.',
  ),
  ask(
    'How far should a patient walk on the first day?',
    'Ten metres twice in a day are better than fifty at once.',
  ),
  ask(
    'What does a white allergy band mean?',
    'A white band means that nobody has asked yet about allergies.',
  ),
  ask(
    'How fast does the first plasmol run?',
    'The first 50 ml run slowly, in a quarter of an hour, and one nurse stays in the room.',
  ),
  ask(
    'Which number is called for a stroke, and what is given to drink?',
    'Call the team with the short number 4411 and give nothing to drink.',
  ),
  ask(
    'How many puffs of ventarol does known asthma get?',
    'Known asthma gets four puffs of ventarol through the chamber, and the same again after ten minutes.',
  ),
  ask(
    'How long are hands disinfected?',
    'Thirty seconds are counted slowly, and the thumbs are the places most often missed.',
  ),
  ask(
    'What is tried before a sleeping medicine?',
    'Warm milk, a second blanket or ten minutes of talk are tried before any medicine.',
  ),
  ask(
    'Who may stay in the night with a dying patient?',
    'One relative may stay in the night, and a bed is brought.',
  ),
];
