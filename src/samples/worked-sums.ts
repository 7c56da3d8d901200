// Worked sums for prompts with examples: a problem and its solution, the same text for the same numbers.
export interface WorkedSum {
  readonly problem: string;
  readonly solution: string;
}

const names = ['Ada', 'Bruno', 'Carla', 'Dario', 'Edith', 'Felix', 'Greta', 'Hugo'] as const;

type Template = (name: string, a: number, b: number, c: number) => WorkedSum;

const templates: readonly Template[] = [
  (name, a, b, c) => ({
    problem: `${name} buys ${a} notebooks for ${b} euros each and pays ${c} euros for a bag. How much does ${name} pay in all?`,
    solution: `The notebooks cost ${a} x ${b} = ${a * b} euros. With the bag that is ${a * b} + ${c} = ${a * b + c} euros. The answer is ${a * b + c}.`,
  }),
  (name, a, b, c) => ({
    problem: `A bus leaves with ${a * b} people. At each of ${b} stops ${a - 2} people get off, and at the last one ${c} get on. How many people, among them ${name}, are in the bus then?`,
    solution: `In all ${b} x ${a - 2} = ${b * (a - 2)} people get off. That leaves ${a * b} - ${b * (a - 2)} = ${2 * b}, and with those who get on ${2 * b} + ${c} = ${2 * b + c}. The answer is ${2 * b + c}.`,
  }),
  (name, a, b, c) => ({
    problem: `${name} reads ${a} pages on each of ${b} evenings. The book has ${a * b + c} pages. How many pages are left?`,
    solution: `${name} has read ${a} x ${b} = ${a * b} pages. Left are ${a * b + c} - ${a * b} = ${c} pages. The answer is ${c}.`,
  }),
  (name, a, b, c) => ({
    problem: `A garden has ${a} rows of ${b} cabbages. Rabbits eat ${c} of them before ${name} builds a fence. How many cabbages can be sold?`,
    solution: `At first there are ${a} x ${b} = ${a * b} cabbages. After the rabbits there are ${a * b} - ${c} = ${a * b - c}. The answer is ${a * b - c}.`,
  }),
  (name, a, b, c) => ({
    problem: `${name} saves ${a} euros in a week and has ${c} euros already. How many euros are there after ${b} weeks?`,
    solution: `In ${b} weeks ${name} saves ${b} x ${a} = ${a * b} euros. Together with the ${c} euros from before that is ${a * b + c}. The answer is ${a * b + c}.`,
  }),
  (name, a, b, c) => ({
    problem: `A baker packs ${a * b} rolls into bags of ${a}. ${name} then brings ${c} more full bags. How many bags are there?`,
    solution: `The rolls fill ${a * b} / ${a} = ${b} bags. With the new ones there are ${b} + ${c} = ${b + c} bags. The answer is ${b + c}.`,
  }),
];

/** Neighbours differ in text and numbers; the numbers repeat late. */
export function workedSum(at: number): WorkedSum {
  const [a, b, c] = [4 + ((at * 5) % 9), 3 + ((at * 3) % 7), 5 + ((at * 7) % 11)];
  return templates[at % templates.length]!(names[(at * 3) % names.length]!, a, b, c);
}
