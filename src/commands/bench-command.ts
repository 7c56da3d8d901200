// `kvshare bench SUITE --out FILE`: runs one suite, writes its JSON, prints its table.
import { writeFile } from 'node:fs/promises';
import { adapters } from './bench/adapters.ts';
import { hitRate } from './bench/hit-rate.ts';
import { index } from './bench/index-suite.ts';
import { load } from './bench/load.ts';
import { overhead } from './bench/overhead.ts';
import { peers } from './bench/peers.ts';
import { quality } from './bench/quality.ts';
import { safety } from './bench/safety.ts';
import { oneOf, type Suite } from './bench/suite.ts';
import { ttft } from './bench/ttft.ts';
import type { SuiteName } from './catalog/index.ts';

const suites: Record<SuiteName, Suite> = {
  ...{ ttft, 'hit-rate': hitRate, quality, safety, overhead, load, index, peers, adapters },
};

export async function benchCommand(argv: readonly string[]): Promise<void> {
  const [name = '', ...rest] = argv;
  const suite = oneOf(name, Object.keys(suites) as SuiteName[], 'bench');
  const { report, table, out, json } = await suites[suite].run(rest);
  const text = JSON.stringify(report, null, 2);
  if (out !== undefined) await writeFile(out, `${text}\n`);
  process.stdout.write(`${json ? text : table}\n`);
}
