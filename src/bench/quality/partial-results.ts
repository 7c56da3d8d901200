// What a run has measured so far, in a file beside the report, a line a measure: a run that was killed goes on where
// it stopped. A measure counts again only for the same case, policy settings and model.
import { createHash } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import type { CaseMeasure, PolicyVariant } from './measure-case.ts';
import type { QualityCase } from './quality-case.ts';

/** New when measures of old runs mean something else. */
const FORMAT = 1;

interface Line {
  readonly key: string;
  readonly measure: CaseMeasure;
}

function parseLine(line: string): Line | null {
  try {
    const value = JSON.parse(line) as Partial<Line> | null;
    return typeof value?.key === 'string' && value.measure ? (value as Line) : null;
  } catch {
    // The run was killed while it wrote this.
    return null;
  }
}

export class PartialResults {
  readonly #path: string | null;
  readonly #fingerprint: string;
  readonly #measures: Map<string, CaseMeasure>;

  private constructor(path: string | null, fingerprint: string, lines: readonly Line[]) {
    this.#path = path;
    this.#fingerprint = fingerprint;
    this.#measures = new Map(lines.map(({ key, measure }) => [key, measure]));
  }

  /** `path` null = nothing is kept; `fingerprint` names the model and what else measures depend on. */
  static async open(path: string | null, fingerprint: string): Promise<PartialResults> {
    if (path === null) return new PartialResults(null, fingerprint, []);
    const text = await readFile(path, 'utf8').catch(() => '');
    const lines = text.split('\n').map(parseLine);
    const whole = lines.filter((line) => line !== null);
    // What was cut off must not run into the next line.
    await writeFile(path, whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return new PartialResults(path, fingerprint, whole);
  }

  get(qualityCase: QualityCase, policy: PolicyVariant): CaseMeasure | undefined {
    return this.#measures.get(this.#keyOf(qualityCase, policy));
  }

  async add(
    qualityCase: QualityCase,
    policies: readonly PolicyVariant[],
    measures: readonly CaseMeasure[],
  ): Promise<void> {
    const lines = measures.map((measure, i): Line => {
      return { key: this.#keyOf(qualityCase, policies[i]!), measure };
    });
    for (const { key, measure } of lines) this.#measures.set(key, measure);
    if (this.#path === null) return;
    await appendFile(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  /** The report is written: nothing to go on with. */
  async remove(): Promise<void> {
    if (this.#path !== null) await rm(this.#path, { force: true });
  }

  #keyOf(qualityCase: QualityCase, { name, options }: PolicyVariant): string {
    const text = JSON.stringify([FORMAT, this.#fingerprint, qualityCase, name, options]);
    return createHash('sha256').update(text).digest('hex').slice(0, 32);
  }
}
