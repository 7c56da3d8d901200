// What a command asks of a running sidecar; refused with the sidecar's own code, so that `kvshare errors CODE` helps.
import { clientErrors, KvShareError } from '../errors.ts';

interface Refusal {
  readonly error?: { readonly code: string; readonly message: string };
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
    throw new KvShareError('config_invalid', `No sidecar answers at ${sidecar}; ${todo}`);
  }
  const parsed = (await answer.json()) as T & Refusal;
  if (answer.ok) return parsed;
  const { code, message = 'The sidecar refused this.' } = parsed.error ?? {};
  throw new KvShareError(clientErrors.find((known) => known === code) ?? 'config_invalid', message);
}
