// Chats that differ in what stands before and behind the same long text: what can be moved, in the tiny tokenizer's words.
const advice =
  'wash the hands with warm water when the door of the room is near and again on the way home because visitors ' +
  'carry germs that harm people whose bodies are weak and everybody takes care';

export const wardChat = (card: string, question: string) => ({
  model: 'tiny',
  max_tokens: 1,
  temperature: 0,
  messages: [{ role: 'user', content: `Card of ${card}\n${advice}\n\n${question}?` }],
});
