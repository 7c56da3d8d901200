// What a run has measured so far, in a file beside the report, a line a measure: a run that was killed goes on where
// it stopped. A measure counts again only for the same subject (case, settings …) and model.
import { createHash } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';

/** New when measures of old runs mean something else. */
const FORMAT = 1;

interface Line<Measure> {
  readonly key: string;
  readonly measure: Measure;
}

function parseLine<Measure>(line: string): Line<Measure> | null {
  try {
    const value = JSON.parse(line) as Partial<Line<Measure>> | null;
    return typeof value?.key === 'string' && value.measure ? (value as Line<Measure>) : null;
  } catch {
    // The run was killed while it wrote this.
    return null;
  }
}

/** Everything that a measure depends on beside the model; as JSON. */
export type Subject = readonly unknown[];

export class PartialResults<Measure> {
  readonly #path: string | null;
  readonly #fingerprint: string;
  readonly #measures: Map<string, Measure>;

  private constructor(path: string | null, fingerprint: string, lines: readonly Line<Measure>[]) {
    this.#path = path;
    this.#fingerprint = fingerprint;
    this.#measures = new Map(lines.map(({ key, measure }) => [key, measure]));
  }

  /** `path` null = nothing is kept; `fingerprint` names the model and what else measures depend on. */
  static async open<Measure>(
    path: string | null,
    fingerprint: string,
  ): Promise<PartialResults<Measure>> {
    if (path === null) return new PartialResults<Measure>(null, fingerprint, []);
    const text = await readFile(path, 'utf8').catch(() => '');
    const lines = text.split('\n').map((line) => parseLine<Measure>(line));
    const whole = lines.filter((line) => line !== null);
    // What was cut off must not run into the next line.
    await writeFile(path, whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return new PartialResults(path, fingerprint, whole);
  }

  get(subject: Subject): Measure | undefined {
    return this.#measures.get(this.#keyOf(subject));
  }

  async add(entries: readonly (readonly [Subject, Measure])[]): Promise<void> {
    const lines = entries.map(([subject, measure]) => ({ key: this.#keyOf(subject), measure }));
    for (const { key, measure } of lines) this.#measures.set(key, measure);
    if (this.#path === null) return;
    await appendFile(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** The report is written: nothing to go on with. */
  async remove(): Promise<void> {
    if (this.#path !== null) await rm(this.#path, { force: true });
  }

  #keyOf(subject: Subject): string {
    const text = JSON.stringify([FORMAT, this.#fingerprint, ...subject]);
    return createHash('sha256').update(text).digest('hex').slice(0, 32);
  }
}
