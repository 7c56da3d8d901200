// Ward guidelines of a hospital that does not exist, about medicines that do not exist. About 110 tokens each.

const falls = `After a fall
Do not lift the patient before a nurse has looked for pain in the hip and the neck. Measure pulse, pressure and alertness at once, after ten minutes and again after one hour. Write down the time, the place and the shoes that were worn. A patient who takes a blood thinner is sent for a scan even when nothing hurts. The doctor on duty is told within the same hour, and the family hears of it from the ward sister.`;

const hydration = `Drinking and fluid balance
Every patient over seventy has a fluid sheet from the first day. The aim is 1500 ml in a day unless the doctor has written another number. Cups are counted when they are empty and not when they are served. When less than half of the aim is reached by the afternoon, the nurse offers soup, tea or jelly every hour. Two poor days in a row are reported at the morning round with the weight and the colour of the urine.`;

const fever = `Fever on the ward
A temperature above 38.3 degrees is measured twice, ten minutes apart, before anyone is called. Blood cultures are taken before the first dose of an antibiotic and never afterwards. The patient gets a light blanket, cool drinks and a change of linen. Fever with shivering, a new rash or confusion is an emergency and goes to the duty doctor at once. Without these signs the next round decides, and the chart shows every value.`;

const dose = (milligrams: number): string => `Candesol for the night
Candesol is given for restless nights and never as the first thing that is tried. The usual dose is ${milligrams} mg at nine in the evening, with water and a light snack. A second tablet is not given before four hours have passed. The patient stays in bed afterwards, with the rail up and the bell within reach. Falls, slow breathing or a rash end the treatment, and the pharmacist is told the next morning. Candesol is reviewed every third day and stopped before discharge.`;

const oxygen = `Oxygen by mask
Oxygen is a medicine and needs a written target. For most patients the target lies between 94 and 98 per cent, for patients with long lung disease between 88 and 92. Start with two litres through the nose and look again after five minutes. Raise the flow one litre at a time and write each step down. If six litres do not reach the target, call the doctor and stay with the patient until help has come.`;

const wounds = `Dressing a clean wound
Wash your hands, open the pack and put the gloves on last. The old dressing comes off slowly, with salt water where it sticks. Look for redness, smell and warmth, and measure the length with the paper ruler. A dry wound is covered with plain gauze, a wet one with foam that stays for two days. Any wound that has grown since the last visit is shown to the wound nurse on the same day.`;

const pain = `Asking about pain
Pain is asked for with every set of observations, on a scale from 0 to 10. A number above three is treated, and the question is asked again after half an hour. Patients who cannot speak are judged by face, voice and movement on the blue card. Ferazol is the first choice, 500 mg by mouth, at most four times in a day. Pain that returns within an hour of treatment is a reason to call the doctor.`;

const isolation = `Isolation room
The sign on the door tells which rules hold, and it is read before the handle is touched. Gown and gloves are put on outside, the mask comes first and goes last. Only what is needed today is taken into the room, and it stays there. Visitors are two at a time and are shown how to wash their hands. The room is free again when two tests, three days apart, have found nothing.`;

const discharge = `The letter home
The letter is written on the day before discharge and read to the patient. It names the illness in plain words, each medicine with its hour, and what was stopped and why. One telephone number stands at the top, and somebody answers it until eight in the evening. The next visit has a date and not only a month. A copy goes to the family doctor by noon, and another stays in the ward's file.`;

const nights = `Rounds in the night
Between eleven and five the ward is looked at every two hours, with a small lamp and soft shoes. Sleeping patients are not woken for a pressure that was good in the evening. Drips, drains and bells are touched to be sure that they work. Anything new since the last round is written on the yellow sheet with the hour. The first sign of a silent change is often the breathing, so it is counted for a full minute.`;

const diet = `Meals and diets
The kitchen needs the order before ten, and a late order means the plain menu. Allergies stand on the red card, which goes with the tray and comes back with it. A patient who coughs at meals gets thick drinks and is seen by the speech therapist. Half a plate eaten counts as half, and this is written down at every meal. After three poor days the dietitian is asked, and the weight is taken every second morning.`;

const pressure = `Skin and pressure
The skin over heels, hips and the lower back is looked at on arrival and every day after. Redness that stays when it is pressed is the first stage and must not be rubbed. Such a patient is turned every two hours, also in the night, and the times are signed. The soft mattress is ordered by telephone and comes within one day. Open skin is photographed, measured and reported as an incident, whoever was on duty.`;

const glucorin = `Giving glucorin
Glucorin is given under the skin before breakfast, after the sugar was measured and not before. Below 80 no dose is given and the patient gets juice at once. From 80 to 180 the dose on the chart is right, above 180 the doctor adds to it. The place is changed every day, belly one week and thigh the next. Shaking, sweat or odd answers after a dose mean low sugar until a drop of blood has shown otherwise.`;

const visitors = `Visitors
Visits are welcome from two until seven, and at any hour for the very ill. Children come in when they are well and have an adult with them. Flowers in soil stay outside because of mould. A visitor who feeds a patient asks the nurse first, for some must not drink thin fluids. Noise is kept low after six, and the day room is open to families who want to talk for longer.`;

const confusion = `Sudden confusion
A patient who was clear yesterday and is confused today is ill until the opposite is shown. Look for fever, pain, a full bladder, low sugar and a new tablet, in this order. Glasses and hearing aids go on, the clock stays in sight, and one nurse does the talking. Straps are never used, and medicines to calm come last. The doctor sees the patient within one hour, and the family is asked what is new.`;

const handOver = `Handing over
The hand-over starts on time, at the bed and not in the kitchen, and lasts twenty minutes. Each patient is told in four sentences: who it is, what happened, what is feared, what is next. Numbers are read from the chart and not from memory. The listener repeats the two most urgent points. Keys and the controlled cupboard are counted by two people, and both sign before the old shift goes home.`;

const catheter = `Catheters
A catheter needs a reason that is written down, and the question whether it still holds is asked every morning. The bag hangs below the bladder and never touches the floor. It is emptied at two thirds, with fresh gloves and a clean jug for each patient. Cloudy urine alone is no infection, but fever with it is reported. On the day it comes out, the first urine is measured and awaited for six hours at most.`;

const samples = `Taking blood
Ask for name and date of birth, and compare both with the band and the form. The arm with a drip is not used, nor the side of an operated breast. Blue tubes are filled first, then red, then purple, each to the line. Tubes are labelled at the bed, one patient at a time. A sample that waits longer than two hours is taken again, and the laboratory is called for any value printed in red.`;

const mobility = `Getting up
Every patient sits at the edge of the bed on the first day unless the doctor has forbidden it. Dizzy patients wait for two minutes with their feet on the floor. The frame is set to the height of the wrist, and the shoes have a closed heel. Walk on the weak side and half a step behind. Ten metres twice in a day are better than fifty at once, and the distance goes onto the chart.`;

const allergies = `The allergy band
A red band means that an allergy is known, a white one that nobody has asked yet. The band names the substance and what it did, for a rash is not the same as a swollen throat. Before each first dose of a medicine the band is read aloud. An allergy that the patient only suspects is written with a question mark. When the band is lost, no medicine is given until it has been replaced.`;

const transfusion = `Giving plasmol
Plasmol is warmed in the hand and never in water. Two nurses compare number, name and group at the bed, and both sign. The first 50 ml run slowly, in a quarter of an hour, and one nurse stays in the room. Back pain, fever or a rash stop the bag at once, and the line is kept open with salt water. The bag itself is not thrown away but goes back to the bank within one day.`;

const stroke = `Signs of a stroke
A hanging mouth, a weak arm or speech that cannot be understood is a stroke until a scan has shown otherwise. Note the minute in which the patient was last well, for everything depends on it. Call the team with the short number 4411 and give nothing to drink. The head is raised by 30 degrees, sugar is measured once, and high pressure is left alone. The bed goes to the scanner with a nurse and the chart.`;

const breathing = `Short of breath
Sit the patient up, open the window and stay. Count the breaths for a full minute, and more than 25 are an alarm. Listen for a whistle or for water, and look at lips and ankles. Known asthma gets four puffs of ventarol through the chamber, and the same again after ten minutes. Speech in single words, blue lips or a pulse above 130 bring the emergency team, and nobody waits for a second opinion.`;

const hygiene = `Clean hands
Hands are disinfected before a patient is touched, before clean work, after dirty work, after the patient and after the room. Thirty seconds are counted slowly, and the thumbs are the places most often missed. Rings and watches are left at home. Gloves do not replace disinfection and are never worn in the corridor. Twice in a year somebody counts in secret, and the ward's number hangs beside the door for all to see.`;

const sleep = `A quiet night
Lights go down at ten, and alarms are set to the lowest level that is still safe. Tablets that rob sleep are given before four in the afternoon. Warm milk, a second blanket or ten minutes of talk are tried before any medicine. The doors of rooms with ill patients stay ajar, all others are closed. Who has not slept for two nights is mentioned at the round, because pain and worry are the usual causes.`;

const farewell = `When a patient is dying
The doctor says the word to the family, and a nurse is in the room when it happens. Observations end, comfort does not: mouth, position and pain are looked after every hour. One relative may stay in the night, and a bed is brought. The wishes on the green form count more than any routine. Afterwards there is time, no bed is needed within three hours, and a letter goes to the family a month later.`;

/** In reading order; the dose guideline stands third. */
export const wardGuidelines: readonly string[] = [
  falls,
  hydration,
  dose(5),
  fever,
  oxygen,
  wounds,
  pain,
  isolation,
  discharge,
  nights,
  diet,
  pressure,
  glucorin,
  visitors,
  confusion,
  handOver,
  catheter,
  samples,
  mobility,
  allergies,
  transfusion,
  stroke,
  breathing,
  hygiene,
  sleep,
  farewell,
];

/** The same guideline before and after its dose was changed: one number differs. */
export const doseGuideline = { before: dose(5), after: dose(8), index: 2 } as const;
