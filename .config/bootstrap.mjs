// `npm run demo`, `npm test`, `npm run bench` on a machine that has nothing yet: checks Node, installs the
// dependencies when they are missing or older than the lockfile, then hands over. Plain Node, no imports
// from node_modules.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [command, ...args] = process.argv.slice(2);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`kvshare needs Node 20.19 or newer, this is ${process.versions.node}.\n`);
  process.exit(1);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** npm and the terminal both pass on one Ctrl-C: what comes this soon after it is the same one. */
const SAME_SIGNAL_MS = 1_000;
/** Longer than the runner and the sidecar may take to close. */
const GRACE_MS = 35_000;

/** Signals a whole process group; false when nobody is left in it. */
function signalGroup(leader, signal) {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/**
 * Runs a child and waits for it. The child leads a group of its own, so that one signal reaches everything
 * it started (npm, pip, compilers, runner, sidecar) exactly once, and whatever outlives it is ended.
 */
function run(program, programArgs) {
  return new Promise((resolve) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: 'inherit', detached: true });
    let signalledAt = null;
    let timer;
    const forward = (signal) => {
      const now = Date.now();
      if (signalledAt !== null && now - signalledAt < SAME_SIGNAL_MS) return;
      // Asked again: whoever is still there does not listen.
      if (signalledAt !== null) return void signalGroup(child.pid, 'SIGKILL');
      signalledAt = now;
      signalGroup(child.pid, signal);
      timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), GRACE_MS);
    };
    const finish = (code) => {
      clearTimeout(timer);
      for (const signal of SIGNALS) process.off(signal, forward);
      resolve(code);
    };
    child.on('error', (error) => {
      process.stderr.write(`${program}: ${error.message}\n`);
      finish(1);
    });
    child.on('exit', (code, signal) => {
      signalGroup(child.pid, 'SIGKILL');
      finish(code ?? 128 + constants.signals[signal]);
    });
    for (const signal of SIGNALS) process.on(signal, forward);
  });
}

async function must(program, programArgs) {
  const code = await run(program, programArgs);
  if (code !== 0) process.exit(code);
}

/** Whether npm has finished an install of what the lockfile names, whoever asked for it. */
function isInstalled() {
  const packagesOf = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8')).packages;
  let installed;
  try {
    installed = packagesOf('node_modules', '.package-lock.json');
  } catch {
    return false;
  }
  return Object.entries(packagesOf('package-lock.json')).every(
    ([path, { version, optional }]) =>
      path === '' || optional || installed[path]?.version === version,
  );
}

async function installDependencies() {
  if (isInstalled()) return;
  process.stderr.write('Installing dependencies (npm ci, about 150 MB, under a minute) …\n');
  // An environment with NODE_ENV=production must not lose tsx and jest.
  const include = ['--include=dev', '--include=optional'];
  await must('npm', ['ci', ...include, '--no-audit', '--no-fund', '--loglevel=error']);
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
