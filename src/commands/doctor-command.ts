// `kvshare doctor`: whether this would start and serve here, and what to do where not. Changes nothing, downloads
// nothing.
import { join } from 'node:path';
import { unknownVariables } from '../config-flags.ts';
import { environment, prepareTensorflow, readSettings, type Settings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { pinnedModel } from '../model-files/index.ts';
import { loadBackend, type Backend } from '../runner/backend/index.ts';
import { tools } from './catalog/index.ts';
import { findingsOf, type Finding } from './doctor/finding.ts';
import { checkFolders } from './doctor/folders.ts';
import { checkGraphLibrary } from './doctor/graph-library.ts';
import { checkClock, checkMemory, checkNode, checkProcessor } from './doctor/machine.ts';
import { checkModel } from './doctor/model.ts';
import { checkPort, checkRunner } from './doctor/network.ts';
import { checkSettings } from './doctor/settings.ts';
import { modelIdOf } from '../open-model/index.ts';
import { addressesOf } from './start-admin.ts';

const NATIVE = ['tensorflow', 'tensorflow-gpu'];

async function checkBackend({
  backend,
  cacheDir,
  withoutGpu,
}: Settings): Promise<{ finding: Finding; backend: Backend | null }> {
  const finding = findingsOf('backend');
  try {
    const found = await loadBackend({
      ...{ requested: backend, cacheDir, allowBuild: false },
      allowCpu: withoutGpu === 'cpu',
    });
    const says = `${found.name}: ${found.description}`;
    if (backend !== 'auto' || NATIVE.includes(found.name)) {
      return { finding: finding.ok(says), backend: found };
    }
    const why = found.tried.find(({ name }) => name === 'tensorflow')?.reason ?? 'unknown';
    const todo = 'kvshare native builds the native one, 20 times as fast';
    return { finding: finding.warn(`${says}; not tensorflow: ${why}`, todo), backend: found };
  } catch (error) {
    const todo = `leave out --backend, or run kvshare native --backend ${backend}`;
    return { finding: finding.fail((error as Error).message, todo), backend: null };
  }
}

/** What computes here is checked here; what runs elsewhere is asked. */
async function checkComputing(settings: Settings): Promise<Finding[]> {
  const { findings, memory } = await checkModel(settings);
  if (settings.runnerUrl !== null) {
    const path = settings.modelPath ?? join(settings.cacheDir, 'models', pinnedModel.fileName);
    return [...findings, await checkRunner(settings.runnerUrl, modelIdOf(path))];
  }
  const { finding, backend } = await checkBackend(settings);
  const machine = [checkProcessor(settings), checkMemory(settings, memory, backend)];
  return [...findings, ...machine, finding];
}

/** One by one: two of them may be the same. */
async function checkPorts(settings: Settings): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const address of addressesOf(settings)) findings.push(await checkPort(address));
  return findings;
}

async function examine(argv: readonly string[]): Promise<Finding[]> {
  const first = [checkNode(), checkClock()];
  let settings: Settings;
  try {
    settings = readSettings(argv, environment(), tools.doctor.flags);
  } catch (error) {
    if (!(error instanceof KvShareError)) throw error;
    return [...first, findingsOf('settings').fail(error.message, 'correct it; kvshare help serve')];
  }
  return [
    ...first,
    ...checkSettings(settings, unknownVariables(environment())),
    ...(await checkFolders(settings)),
    ...(await checkPorts(settings)),
    await checkGraphLibrary(),
    ...(await checkComputing(settings)),
  ];
}

function format(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, state, says, todo }) => [
    `${state.padEnd(4)}  ${check.padEnd(width)}  ${says}`,
    ...(todo === undefined ? [] : [`${' '.repeat(width + 8)}→ ${todo}`]),
  ]);
  return lines.join('\n');
}

/** Exit code 1 when anything fails; a warning is none. */
export async function doctorCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools.doctor.flags);
  prepareTensorflow();
  const findings = await examine(argv);
  const healthy = !findings.some(({ state }) => state === 'fail');
  const report = values.json ? JSON.stringify({ healthy, findings }, null, 2) : format(findings);
  process.stdout.write(`${report}\n`);
  if (!healthy) process.exitCode = 1;
}
