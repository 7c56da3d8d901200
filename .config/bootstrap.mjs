// `npm run demo`, `npm test`, `npm run bench` on a machine that has nothing yet: checks Node, installs the
// dependencies when they are missing or older than the lockfile, then hands over. Plain Node, no imports
// from node_modules.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [command, ...args] = process.argv.slice(2);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`kvshare needs Node 20.19 or newer, this is ${process.versions.node}.\n`);
  process.exit(1);
}

/** Runs a child in the foreground; Ctrl-C reaches it, and we leave only after it has. */
function run(program, programArgs) {
  return new Promise((resolve) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: 'inherit' });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    child.on('error', (error) => {
      process.stderr.write(`${program}: ${error.message}\n`);
      resolve(1);
    });
    child.on('close', (code, signal) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

async function must(program, programArgs) {
  const code = await run(program, programArgs);
  if (code !== 0) process.exit(code);
}

async function installDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', '.kvshare-lock-hash');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  process.stderr.write('Installing dependencies (npm ci, about 150 MB, under a minute) …\n');
  await must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, hash);
}

const main = (...mainArgs) => ['--import', 'tsx', join(root, 'src', 'main.ts'), ...mainArgs];
const jest = [
  '--experimental-vm-modules',
  '--no-warnings',
  join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
  '--config',
  join(root, '.config', 'jest.config.mjs'),
];

await installDependencies();
if (command === 'demo' || command === 'bench') {
  process.exit(await run(process.execPath, main(command, ...args)));
} else if (command === 'test') {
  // The model and the native backend; where the latter cannot be built, tests use what there is.
  await must(process.execPath, main('provision'));
  process.exit(await run(process.execPath, [...jest, ...args]));
} else {
  process.stderr.write('usage: node .config/bootstrap.mjs demo|test|bench [args…]\n');
  process.exit(2);
}
