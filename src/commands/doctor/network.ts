// What is listened on and who has to answer.
import { checkFree, type ListenOptions } from '../../listen.ts';
import { PLAN_VERSION, type RunnerInfo } from '../../protocol/index.ts';
import { RunnerClient } from '../../runner/client.ts';
import { findingsOf, type Finding } from './finding.ts';

const PATIENCE_MS = 3_000;

/**
 * Who of ours answers there, and its version where it tells everybody; null = somebody else. No key is sent: whoever
 * it is may only say that it is one of us.
 */
async function whoServes(origin: string): Promise<string | null> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const ask = async (path: string): Promise<Record<string, unknown>> =>
    (await fetch(`${origin}${path}`, { signal, redirect: 'error' })).json() as never;
  try {
    const { server, version } = await ask('/livez');
    if (typeof server !== 'string' || !/^kvshare \w{1,20}$/.test(server)) return null;
    const told = version ?? (await ask('/readyz'))['version'];
    return typeof told === 'string' && /^[\w.+-]{1,40}$/.test(told) ? `${server} ${told}` : server;
  } catch {
    return null;
  }
}

/** `flag`: what sets the port. */
export async function checkPort({ port, host, flag = '--port' }: ListenOptions): Promise<Finding> {
  const finding = findingsOf(flag.slice(2));
  if (port === 0) return finding.ok('any free one');
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    await checkFree([{ port, host, flag }]);
    return finding.ok(`${where} is free`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const own = code === 'port_in_use' ? await whoServes(`http://${where}`) : null;
    if (own !== null) return finding.ok(`${where}: ${own} runs there; ${flag} for another one`);
    if (code === 'port_in_use') {
      return finding.fail(`${where} is in use`, `end what listens there, or set ${flag}`);
    }
    return finding.fail(message, `set ${flag} and ${flag.replace(/port$/, 'host')}`);
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
