// `kvshare provision`: model and backend, so that everything after it needs no network.
import type { Settings } from '../config.ts';
import { provisionBackend, provisionModel } from './provision.ts';

export async function provisionCommand(settings: Settings): Promise<void> {
  const model = await provisionModel(settings);
  const backend = await provisionBackend(settings);
  process.stdout.write(`model ${model.path} (${model.source})\n`);
  process.stdout.write(`backend ${backend.name}: ${backend.description}\n`);
  for (const { name, reason } of backend.tried) process.stdout.write(`  not ${name}: ${reason}\n`);
}
