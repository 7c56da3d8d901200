// Settings that are valid and yet surely not meant.
import type { Settings } from '../../config.ts';
import { findingsOf, type Finding } from './finding.ts';

export function checkSettings(
  { configPath, tenants }: Pick<Settings, 'configPath' | 'tenants'>,
  unknownVariables: readonly string[],
): Finding[] {
  const settings = findingsOf('settings');
  const keyless = tenants.filter(({ keys }) => keys.length === 0).map(({ name }) => name);
  const found = [
    ...unknownVariables.map((line) => settings.warn(line, 'correct or unset it')),
    ...(keyless.length > 0
      ? [settings.warn(`no key for ${keyless.join(', ')}`, 'set the variables of its env: keys')]
      : []),
    ...(tenants.length === 0
      ? [settings.warn('no tenants: nothing is shared', 'name them in kvshare.yaml, --config FILE')]
      : []),
  ];
  return found.length > 0 ? found : [settings.ok(configPath ?? 'defaults')];
}
