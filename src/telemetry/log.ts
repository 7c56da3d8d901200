// Structured lines on stderr through pino. No prompt, answer, key or salt is ever handed to it: rooms log
// names, numbers and ids.
import { pino } from 'pino';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function createLog({ level, name }: { level: string; name: string }): Log {
  // Destination 2 is stderr; sync, so that the last line before an exit is not lost.
  return pino({ level, name, base: { name } }, pino.destination({ dest: 2, sync: true }));
}
