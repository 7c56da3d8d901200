// The README and the room map say what the code says.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { catalog, commandNames, suites } from '../src/commands/catalog/index.ts';
import { configSchema, findConfigError } from '../src/config-schema.ts';
import { errorTable } from '../src/errors.ts';
import { planReasons } from '../src/reuse/index.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const readme = read('README.md');

it('lists every room', () => {
  const rooms = readdirSync(new URL('src/', root)).filter((name) =>
    statSync(new URL(`src/${name}`, root)).isDirectory(),
  );
  const map = read('src/README.md');
  for (const room of rooms) expect(map).toContain(`\`${room}/\``);
  for (const [, room] of map.matchAll(/`(\w[\w-]*)\/`/g)) expect([...rooms, 'src']).toContain(room);
});

it('names every reason and every command', () => {
  for (const reason of planReasons) expect(readme).toContain(`\`${reason}\``);
  for (const command of commandNames) expect(readme).toContain(`\`${command}`);
});

it('says of every error code what the code says', () => {
  const table = readme.slice(readme.search(/\| code +\| status/), readme.indexOf('## Supported'));
  const rows = [...table.matchAll(/^\| `(\w+)` +\| +(.*?) +\| (.*?) +\| (.*?) +\|$/gm)].map(
    ([, code, status, means, todo]) => [code, status, means, todo],
  );
  const wanted = Object.entries(errorTable).map(([code, { status, means, todo }]) => [
    code,
    status === 0 ? 'exit 1' : `${status}`,
    means,
    todo,
  ]);
  expect(rows).toEqual(wanted);
});

it('shows scripts and examples that exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const [, name] of readme.matchAll(/npm run ([\w:]+)/g))
    expect(scripts).toHaveProperty([name!]);
  for (const [, path] of readme.matchAll(/(examples\/[\w.-]+)/g)) {
    expect(existsSync(new URL(path!, root))).toBe(true);
  }
});

it('draws the tree that there is', () => {
  const block = readme.slice(readme.indexOf('## The tree')).split('```')[1]!;
  const drawn = [...block.matchAll(/^([\w.]+)\/ /gm)].map(([, name]) => name!);
  const ignored = [
    'node_modules',
    'dist',
    'artifacts',
    'coverage',
    'shared',
    '.git',
    '.ci',
    '.cache',
  ];
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !ignored.includes(entry.name))
    .map(({ name }) => name);
  expect(drawn.sort()).toEqual(folders.sort());
});

it('names flags that there are', () => {
  const known = Object.values({ ...catalog, ...suites }).flatMap(({ flags }) => Object.keys(flags));
  // Of llama.cpp's server and of helm.
  const foreign = ['cache-ram', 'cache-reuse', 'set'];
  const named = [...readme.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(50);
  const unknown = named.filter((name) => ![...known, ...foreign].includes(name));
  expect(unknown).toEqual([]);
});

it('shows configuration that is valid, and names every key of it', () => {
  const blocks = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
  expect(blocks.length).toBeGreaterThan(1);
  for (const text of blocks) expect(findConfigError(parse(text))).toBeNull();
  for (const key of Object.keys(configSchema.properties))
    expect(readme).toMatch(new RegExp(`\\b${key}\\b`));
});

it('lists the options of a mount that there are', () => {
  const source = read('src/mount/options.ts');
  const [, inherited, body] =
    /interface KvShareOptions.*?ConfigDocument,(.*?)>\s*\{(.*?)\n\}/s.exec(source)!;
  const wanted = [
    ...[...inherited!.matchAll(/'(\w+)'/g)].map(([, name]) => name!),
    ...[...body!.matchAll(/^ {2}readonly (\w+)/gm)].map(([, name]) => name!),
  ];
  const table = readme.slice(readme.search(/^\| option /m), readme.search(/^\| event /m));
  const cells = [...table.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell!);
  const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map(([, name]) => name!));
  // A timeout is told of beside what it bounds.
  expect([...listed, 'identifyTimeoutMs'].sort()).toEqual(wanted.sort());
  expect(table).toContain('`identifyTimeoutMs');
});
