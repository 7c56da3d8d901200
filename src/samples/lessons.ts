// School lessons in science and geography, 110 to 130 words each, and one question to each of them:
// a second kind of document beside the ward guidelines, without doses and without patients.

const tides = `Why the sea comes and goes
Twice in a day the sea climbs the beach, and twice it draws back again, because the moon pulls at the water. The side of the earth that faces the moon is pulled most strongly, so the water heaps up there, and a second heap forms on the far side. As the earth turns, each coast passes through both heaps, and from one high water to the next takes about twelve and a half hours. The sun pulls too, though less than half as strongly as the moon. When sun and moon stand in one line, their pulls add up and the tide runs very high, which sailors call a spring tide. In narrow bays the water has no room to spread and can rise by more than ten metres.`;

const volcanoes = `How a volcano grows
Deep below the ground it is so hot that some of the rock melts, and melted rock is lighter than the solid rock around it. It rises slowly through cracks and gathers in a chamber a few kilometres under the surface. Gas is dissolved in it, much as it is in a bottle of lemonade, and when the pressure drops, the gas forms bubbles and drives the rock upwards. Thin lava flows far and builds a wide, flat mountain with gentle slopes, while thick lava blocks the pipe until it bursts with ash and stones. Every eruption adds another layer, so a volcano can be read like a book with its oldest page at the bottom. After some centuries the ash turns into rich soil, which is why farmers come back.`;

const rivers = `A river from spring to mouth
A river begins small, at a spring, a bog or the foot of a glacier, and runs quickly because the land is steep. In this upper part it cuts downwards and carves a narrow valley with the shape of the letter V. Further down the slope becomes gentle, other streams join, and the river swings from side to side in wide bends called meanders. On the outer side of a bend the water is fast and eats the bank away, and on the inner side it is slow and drops sand. Near the sea the current is so weak that even fine mud sinks to the ground. Over thousands of years this mud builds new land, a delta, through which the river finds its way in many arms.`;

const leaves = `What a leaf does all day
A green leaf is a small kitchen that works as long as there is light. Through tiny openings on its lower side it takes in carbon dioxide from the air, and through the stem it receives water from the roots. With the energy of sunlight it turns both into sugar, and oxygen is left over and leaves through the same openings. The green colour comes from chlorophyll, which catches red and blue light and sends most of the green light back to our eyes. At night the kitchen rests, but the plant goes on breathing and uses some of its sugar. In autumn many trees take the chlorophyll apart and store what is useful, so that the yellow that was there all summer can be seen.`;

const deserts = `Where deserts lie
A desert is a place where less than about 250 millimetres of rain fall in a year, and it does not need to be hot. Many of them lie along two belts north and south of the equator, where air that has lost its rain sinks down and becomes warm and dry. Others lie behind high mountains, because clouds drop their water on the side that faces the wind. A third kind is found on coasts with a cold current, where fog is common but rain hardly ever falls. Since there are few clouds, the days heat up fast and the nights cool down just as fast, often by thirty degrees. Plants there store water, have deep roots, or wait as seeds for years until one good shower comes.`;

const sound = `How sound travels
Every sound begins with something that moves quickly to and fro, such as a string, a drum skin or the cords in our throat. It pushes the air beside it, this air pushes the next, and so a wave runs through the room although no part of the air travels far. In air a sound covers about 340 metres in one second, in water more than four times as much, and in steel it is faster still. If there is nothing that can be pushed, as in empty space, there is no sound at all. The faster the string moves, the higher is the note, and the wider it swings, the louder it seems. A hard wall throws the wave back, and when that takes long enough, we hear an echo.`;

export const lessons: readonly string[] = [tides, volcanoes, rivers, leaves, deserts, sound];

/** Question `i` is answered by lesson `i`. */
export const lessonQuestions: readonly string[] = [
  'Question: How much time passes between one high water and the next, and when does the tide run very high?',
  'Question: Why do some volcanoes become wide and flat, while others burst with ash and stones from time to time?',
  'Question: On which side of a bend does a river drop its sand, and how does a delta come about near the sea?',
  'Question: Which two things does a leaf need to make sugar, and why do many trees look yellow in the autumn?',
  'Question: For which three reasons can a desert form, and how much rain falls there at most in a whole year?',
  'Question: In which of the materials named here does sound travel fastest, and why is it silent in empty space?',
];
