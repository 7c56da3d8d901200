// The admin API, asked with the key that was typed in. Keys live in this tab's session and go into headers only.

const ADMIN_KEY = 'kvshare-admin-key';
const TENANT_KEY = 'kvshare-tenant-key';

/** @param {string} adminKey @param {string} tenantKey */
export function keepKeys(adminKey, tenantKey) {
  sessionStorage.setItem(ADMIN_KEY, adminKey);
  sessionStorage.setItem(TENANT_KEY, tenantKey);
}

export function dropKeys() {
  sessionStorage.removeItem(ADMIN_KEY);
  sessionStorage.removeItem(TENANT_KEY);
}

export const hasKey = () => (sessionStorage.getItem(ADMIN_KEY) ?? '') !== '';

/** Whoever is refused has to sign in again. */
export class Refused extends Error {}

/** @param {string} path @param {AbortSignal} [signal] */
async function ask(path, signal) {
  const tenantKey = sessionStorage.getItem(TENANT_KEY) ?? '';
  const response = await fetch(path, {
    headers: {
      authorization: `Bearer ${sessionStorage.getItem(ADMIN_KEY) ?? ''}`,
      ...(tenantKey !== '' && { 'x-kvshare-tenant-key': tenantKey }),
    },
    cache: 'no-store',
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  /** @type {{ error: { message: string } }} */
  const { error } = await response.json();
  if (response.status === 401 || response.status === 403) throw new Refused(error.message);
  throw new Error(error.message);
}

/** @param {string} id @returns {Promise<import('./types.d.ts').Inspection>} */
export const inspect = async (id) =>
  (await ask(`/admin/inspect?request=${encodeURIComponent(id)}`)).json();

/**
 * Server-sent events over fetch, which can send a key in a header. Resolves when the server ends the stream.
 * @param {(snapshot: import('./types.d.ts').Snapshot) => void} onSnapshot
 * @param {AbortSignal} signal
 */
export async function follow(onSnapshot, signal) {
  const { body } = await ask('/admin/stream', signal);
  if (!body) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (pending + value).split('\n\n');
    pending = events.pop() ?? '';
    // Of several that came at once only the newest is of interest.
    const newest = events.at(-1);
    if (newest?.startsWith('data: ')) onSnapshot(JSON.parse(newest.slice(6)));
  }
}
