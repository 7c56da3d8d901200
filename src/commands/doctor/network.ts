// What is listened on and who has to answer.
import { createServer } from 'node:http';
import type { Settings } from '../../config.ts';
import { closeNow, listen } from '../../listen.ts';
import { PLAN_VERSION, type RunnerInfo } from '../../protocol/index.ts';
import { RunnerClient } from '../../runner/client.ts';
import { findingsOf, type Finding } from './finding.ts';

const PATIENCE_MS = 3_000;

export async function checkPort({ port, host }: Pick<Settings, 'port' | 'host'>): Promise<Finding> {
  const finding = findingsOf('port');
  if (port === 0) return finding.ok('any free one');
  const server = createServer();
  try {
    await listen(server, { port, host });
    await closeNow(server);
    return finding.ok(`${host}:${port} is free`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const todo = 'end what listens there, or set --port and --host';
    return finding.fail(`${host}:${port}: ${code ?? message}`, todo);
  }
}

function judge({ protocolVersions, model, backend }: RunnerInfo, modelId: string): Finding {
  const runner = findingsOf('runner');
  const says = `${model.id} on ${backend.name}`;
  if (model.id !== modelId) {
    const todo = 'give the sidecar the runner’s model with --model FILE: it tokenises for it';
    return runner.fail(`${says}, the sidecar has ${modelId}`, todo);
  }
  if (protocolVersions.includes(PLAN_VERSION)) return runner.ok(says);
  return runner.warn(`${says} speaks no plan version ${PLAN_VERSION}`, 'run one version of both');
}

export async function checkRunner(url: string, modelId: string): Promise<Finding> {
  const client = new RunnerClient(url, { idleMs: PATIENCE_MS });
  try {
    return judge(await client.info(), modelId);
  } catch {
    const todo = 'start it with kvshare runner, or correct --runner URL';
    return findingsOf('runner').fail(`nobody answers at ${new URL(url).host}`, todo);
  } finally {
    await client.close();
  }
}
