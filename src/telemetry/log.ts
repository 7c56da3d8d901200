// Structured lines on stderr through pino. No prompt, answer, key or salt is ever handed to it: rooms log
// names, numbers and ids. Should one do so by mistake, its usual names are blanked.
import { pino } from 'pino';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const SECRETS = ['authorization', 'key', 'apiKey', 'salt', 'cache_salt', 'messages', 'prompt'];

export function createLog({ level, name }: { level: string; name: string }): Log {
  const paths = SECRETS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);
  // Destination 2 is stderr; sync, so that the last line before an exit is not lost.
  const stderr = pino.destination({ dest: 2, sync: true });
  return pino({ level, name, base: { name }, redact: { paths, censor: '***' } }, stderr);
}
