// `--log-level info,runner=debug`: one level for all, others for single rooms.
import { KvShareError } from './errors.ts';
import { didYouMean } from './nearest-name.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const logRooms = ['serve', 'sidecar', 'runner'] as const;
export type LogLevel = (typeof levels)[number];
export type LogRoom = (typeof logRooms)[number];

export type LogLevels = Readonly<Record<LogRoom, LogLevel>>;

function known<T extends string>(name: string, names: readonly T[], source: string): T {
  const found = names.find((one) => one === name);
  if (found !== undefined) return found;
  const message = `${source}: "${name}" is none of ${names.join(', ')}.${didYouMean(name, names)}`;
  throw new KvShareError('config_invalid', message);
}

export function parseLogLevels(text: string, source: string): LogLevels {
  const parts = text.split(',').map((part) => part.trim().split('='));
  const general = parts.filter((part) => part.length === 1).map(([name]) => name!);
  if (general.length > 1) {
    throw new KvShareError('config_invalid', `${source} has more than one level for all rooms.`);
  }
  const level = known(general[0] ?? 'info', levels, source);
  const own = parts
    .filter((part) => part.length > 1)
    .map(([room = '', name = '']) => [known(room, logRooms, source), known(name, levels, source)]);
  return { serve: level, sidecar: level, runner: level, ...(Object.fromEntries(own) as object) };
}

/** The same for a process of its own. */
export const logArgument = (levels: LogLevels): string =>
  logRooms.map((room) => `${room}=${levels[room]}`).join(',');
