// English about nothing in particular: what texts have in common whatever they are about.
export const usualText = `
The house stands at the end of a small road, and in the evening most of the lights are on. When we came back from the
market, they had already made some food for the children, who wanted to go out again. You can ask for help if you do
not know which form is needed; it is usually the second one on the list. In 1998 the city opened a new library, and
more than 300 people came on the first day. Please read the following text and answer the question at the end. The
price of the ticket depends on the distance, the time of day and the age of the traveller. Water boils at a lower
temperature in the mountains because the air is thinner there. She wrote that the meeting had been moved to Friday
and that everyone should bring their own notes. To change the password, open the settings, choose the account and
follow the steps. Many plants lose their leaves in autumn, while others stay green through the winter. If the pain
gets worse or does not go away after a few days, see a doctor. The company said that sales had grown by 4 % in the
last year, but that costs were rising too. For each of the numbers from one to ten, write down its square. It was the
best of the three films, although the story took a long time to begin. Use two cups of flour, one egg and a little
salt, and mix them well before you add the milk. The law says that a contract is only valid when both sides have
signed it. He turned the key, but the engine would not start. What would you do in their place, and why?`;
