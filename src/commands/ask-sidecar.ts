// What a command asks of a running sidecar; refused with the sidecar's own code, so that `kvshare errors CODE` helps.
import { clientErrors, KvShareError } from '../errors.ts';

interface Refusal {
  readonly error?: { readonly code: string; readonly message: string };
}

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

export function headersOf(key: string | undefined): Headers {
  const headers = new Headers({ 'content-type': 'application/json' });
  try {
    if (key !== undefined) headers.set('authorization', `Bearer ${key}`);
  } catch {
    throw bad('The key holds characters that cannot be sent in a header.');
  }
  return headers;
}

/** The answer's JSON. `body` is JSON already. */
export async function askSidecar<T>(
  sidecar: string,
  path: string,
  { headers, body }: { readonly headers: Headers; readonly body: string },
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(new URL(path, sidecar), { method: 'POST', headers, body });
  } catch {
    const todo = 'start one with kvshare serve, or name it with --url.';
    throw bad(`No sidecar answers at ${sidecar}; ${todo}`);
  }
  const parsed = (await answer.json().catch(() => {
    throw bad(`What answers at ${sidecar} is no sidecar.`);
  })) as T & Refusal;
  if (answer.ok) return parsed;
  const { code, message = 'The sidecar refused this.' } = parsed.error ?? {};
  throw new KvShareError(clientErrors.find((known) => known === code) ?? 'config_invalid', message);
}
