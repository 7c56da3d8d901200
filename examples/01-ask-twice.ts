// Two nurses, two patients, one guideline. Needs `npx kvshare serve --config examples/kvshare.yaml`.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: 'http://127.0.0.1:8080/v1', apiKey: 'key-for-tests' });

const guideline = [
  'After a fall',
  'Do not lift the patient before a nurse has looked for pain in the hip and the neck.',
  'Measure pulse, pressure and alertness at once, after ten minutes and after one hour.',
  'Write down the time, the place and the shoes, and tell the doctor on duty the same hour.',
  'A patient who takes a blood thinner is sent for a scan even when nothing hurts.',
  'The family hears of the fall from the ward sister before the evening meal.',
].join('\n');

for (const card of ['Patient: Mr Ode, room 4.', 'Patient: Ms Lind, room 11, takes a thinner.']) {
  const answer = await client.chat.completions.create({
    model: 'default',
    max_completion_tokens: 40,
    temperature: 0,
    messages: [{ role: 'user', content: `${card}\n\n${guideline}\n\nWhat is done first?` }],
  });
  process.stdout.write(`${answer.choices[0]?.message.content ?? ''}\n`);
  process.stdout.write(`${JSON.stringify(answer.usage?.prompt_tokens_details)}\n\n`);
}
