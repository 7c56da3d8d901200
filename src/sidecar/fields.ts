// Typed reading of request fields; a wrong type is a 400 that names the parameter. null counts as absent,
// as OpenAI's clients send it.
import { KvShareError } from '../errors.ts';

export type Fields = Readonly<Record<string, unknown>>;

export const wrong = (param: string, message: string): KvShareError =>
  new KvShareError('invalid_request', `${param}: ${message}`, param);

const isAbsent = (value: unknown): value is null | undefined =>
  value === undefined || value === null;

export function numberField(
  fields: Fields,
  name: string,
  fallback: number,
  [min, max]: readonly [number, number],
): number {
  const value = fields[name];
  if (isAbsent(value)) return fallback;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw wrong(name, `must be a number from ${min} to ${max}`);
}

export function integerField(
  fields: Fields,
  name: string,
  fallback: number,
  range: readonly [number, number],
): number {
  const value = numberField(fields, name, fallback, range);
  if (Number.isInteger(value)) return value;
  throw wrong(name, 'must be an integer');
}

export function flagField(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (isAbsent(value)) return false;
  if (typeof value === 'boolean') return value;
  throw wrong(name, 'must be true or false');
}

export function textField(fields: Fields, name: string): string | null {
  const value = fields[name];
  if (isAbsent(value)) return null;
  if (typeof value === 'string') return value;
  throw wrong(name, 'must be a text');
}

export function objectField(fields: Fields, name: string): Fields | null {
  const value = fields[name];
  if (isAbsent(value)) return null;
  if (typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  throw wrong(name, 'must be an object');
}
