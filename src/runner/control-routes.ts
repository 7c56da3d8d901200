// The optional half of the runner port over HTTP: what an operator can do to the store.
import express, { type Express } from 'express';
import { KvShareError } from '../errors.ts';
import type { StoreControl } from '../protocol/index.ts';
import { paths } from '../protocol/wire.ts';

const MAX_BODY = '16mb';

interface Asked {
  readonly segments: readonly string[];
  readonly ms: number;
}

function readAsked(body: unknown, needsMs: boolean): Asked {
  const { segments, ms } = (body ?? {}) as Partial<Asked>;
  const areNames = Array.isArray(segments) && segments.every((name) => typeof name === 'string');
  const isTime = typeof ms === 'number' && Number.isFinite(ms) && ms > 0;
  if (areNames && (isTime || !needsMs)) return { segments, ms: isTime ? ms : 0 };
  throw new KvShareError('invalid_request', 'The body does not name segments.');
}

export function addControlRoutes(app: Express, control: StoreControl): void {
  const json = express.json({ limit: MAX_BODY });
  app.get(paths.store, async (_request, response) => void response.json(await control.list()));
  app.post(paths.remove, json, async (request, response) => {
    response.json(await control.remove(readAsked(request.body, false).segments));
  });
  app.post(paths.pin, json, async (request, response) => {
    const { segments, ms } = readAsked(request.body, true);
    response.json(await control.pin(segments, ms));
  });
  app.post(paths.unpin, json, async (request, response) => {
    response.json(await control.unpin(readAsked(request.body, false).segments));
  });
}
