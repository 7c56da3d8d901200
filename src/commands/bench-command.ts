// `kvshare bench SUITE --out FILE`: runs one suite, writes its JSON, prints its table.
import { writeFile } from 'node:fs/promises';
import { hitRate } from './bench/hit-rate.ts';
import { index } from './bench/index-suite.ts';
import { load } from './bench/load.ts';
import { overhead } from './bench/overhead.ts';
import { peers } from './bench/peers.ts';
import { quality } from './bench/quality.ts';
import { oneOf } from './bench/suite.ts';
import { ttft } from './bench/ttft.ts';

const suites = { ttft, 'hit-rate': hitRate, quality, overhead, load, index, peers };

export async function benchCommand(argv: readonly string[]): Promise<void> {
  const [name = '', ...rest] = argv;
  const suite = oneOf(name, Object.keys(suites) as (keyof typeof suites)[], 'bench');
  const { report, table, out } = await suites[suite].run(rest);
  if (out !== undefined) await writeFile(out, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`${table}\n`);
}
