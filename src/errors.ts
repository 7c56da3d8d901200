// Every error that leaves a room: one stable code, one HTTP status, one message for a person.
// The edge (sidecar/app, runner/server, CLI) turns a KvShareError into a body or one line; anything
// else that is thrown is a bug and becomes `internal_error` without its text, which may hold a prompt.

import { channel } from 'node:diagnostics_channel';

export interface ErrorRow {
  /** 0: of a command, which ends with exit code 1; it never reaches a client. */
  readonly status: number;
  readonly means: string;
  /** What to do about it. */
  readonly todo: string;
}

/** Codes are part of the public interface: never renamed, only added. The README's table is this one. */
export const errorTable = {
  // requests
  invalid_json: { status: 400, means: 'the body is no JSON', todo: 'send JSON in UTF-8' },
  invalid_request: {
    status: 400,
    means: 'a field is missing or has a wrong value',
    todo: 'correct the field that `param` names',
  },
  unsupported_parameter: {
    status: 400,
    means: 'tools, n > 1, logprobs, JSON mode: refused, not ignored',
    todo: 'leave it out',
  },
  unsupported_content: {
    status: 400,
    means: 'a message holds something that is no text',
    todo: 'send text parts only',
  },
  context_length_exceeded: {
    status: 400,
    means: 'the prompt does not fit the model',
    todo: 'shorten it; `GET /v1/models` names the model',
  },
  invalid_api_key: {
    status: 401,
    means: 'a key that no tenant has',
    todo: 'use one of `tenants`; `kvshare doctor` names tenants without keys',
  },
  forbidden: {
    status: 403,
    means: 'a key that is known, but not for this',
    todo: 'use the admin key for the admin port, the metrics key for metrics',
  },
  model_not_found: {
    status: 404,
    means: 'another model',
    todo: 'ask `GET /v1/models`, or use `default`',
  },
  not_found: {
    status: 404,
    means: 'a path that is not ours, without an upstream',
    todo: 'correct the path, or set `upstream`',
  },
  method_not_allowed: { status: 405, means: 'another method', todo: 'use that of `Allow`' },
  body_timeout: {
    status: 408,
    means: 'the body took longer than 10 s, or too many others were under way',
    todo: 'send it at once',
  },
  pin_refused: {
    status: 409,
    means: 'more would be pinned than may be',
    todo: 'unpin something, or raise `--kv-bytes`',
  },
  body_too_large: {
    status: 413,
    means: 'over 4 MiB, or in too many small pieces',
    todo: 'send less, in larger ones',
  },
  queue_full: {
    status: 429,
    means: '64 requests are inside, or 56 of one tenant',
    todo: 'try again after `Retry-After`; more sidecars, if it lasts',
  },
  request_cancelled: { status: 499, means: 'the client went away', todo: 'nothing' },
  internal_error: {
    status: 500,
    means: 'a fault of ours; the log has its name under the same request id',
    todo: 'report it',
  },
  runner_failed: {
    status: 502,
    means: 'the runner broke off',
    todo: 'try again; its log says why',
  },
  runner_unable: {
    status: 501,
    means: 'this kind of runner cannot do that at all',
    todo: 'use another runner for it',
  },
  upstream_failed: {
    status: 502,
    means: 'the upstream, or the embeddings server, did not answer',
    todo: 'check `upstream` and `embedder`',
  },
  runner_unavailable: {
    status: 503,
    means: 'the runner is down or still starting; `serve` restarts it with backoff',
    todo: 'try again after `Retry-After`; `kvshare doctor --runner URL`',
  },
  memory_short: {
    status: 503,
    means: 'the KV of those being served takes all of `--kv-bytes`, or memory ran out',
    todo: 'try again after `Retry-After`; ask for fewer tokens; raise `--kv-bytes`',
  },
  shutting_down: {
    status: 503,
    means: 'the server was told to end: what runs finishes, nothing new begins',
    todo: 'try again on another one; `--drain-seconds`',
  },
  request_timeout: {
    status: 504,
    means: 'no answer within two minutes',
    todo: 'ask for fewer tokens; look at `kvshare_ttft_seconds`',
  },
  // reuse plans: of the runner port; a sidecar serves the request cold instead
  plan_invalid: { status: 400, means: 'a plan that cannot be meant', todo: 'report the planner' },
  plan_version_unsupported: {
    status: 400,
    means: 'a plan of another version',
    todo: 'run one version of sidecar and runner',
  },
  plan_fingerprint_mismatch: {
    status: 400,
    means: 'a plan for another model, template or precision',
    todo: 'give sidecar and runner the same model file',
  },
  plan_unknown_segment: {
    status: 400,
    means: 'the plan names KV of another runner or scope',
    todo: 'nothing: it was made before a restart',
  },
  plan_out_of_bounds: {
    status: 400,
    means: 'a range beyond its prompt or segment',
    todo: 'report the planner',
  },
  plan_unsupported: {
    status: 400,
    means: 'the plan asks for what this runner cannot do',
    todo: 'choose another policy for it',
  },
  // commands
  config_invalid: {
    status: 0,
    means: 'a setting, flag or file that cannot be used',
    todo: 'correct what the line names; `kvshare config show`',
  },
  model_unavailable: {
    status: 0,
    means: 'the model is not here and could not be fetched',
    todo: 'name a GGUF file with `--model FILE`',
  },
  model_invalid: {
    status: 0,
    means: 'the model file is damaged or of a kind that is not served',
    todo: 'see Supported systems',
  },
  backend_unavailable: {
    status: 0,
    means: 'the backend of `--backend` does not run here',
    todo: 'leave it out; `kvshare doctor` says why',
  },
  native_build_failed: {
    status: 0,
    means: 'the native backend could not be built',
    todo: 'install what the line names; until then `--backend wasm`',
  },
  port_in_use: {
    status: 0,
    means: 'somebody listens there',
    todo: 'end it, or set the flag that the line names',
  },
  child_failed: {
    status: 0,
    means: 'a process that we started gave up; it has said why',
    todo: 'see the line above',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** Stable code → HTTP status; a command's error that does reach a client is our fault. */
export const errorStatus = Object.fromEntries(
  Object.entries(errorTable).map(([code, { status }]) => [code, status || 500]),
) as Readonly<Record<ErrorCode, number>>;

/** What a client can get. */
export const clientErrors = (Object.keys(errorTable) as ErrorCode[]).filter(
  (code) => errorTable[code].status > 0 && !code.startsWith('plan_'),
);

/** Every error as it is made, for whoever listens. */
const made = channel('kvshare:error');

export class KvShareError extends Error {
  readonly code: ErrorCode;
  /** The request parameter at fault, as in OpenAI error bodies. */
  readonly param: string | null;

  constructor(code: ErrorCode, message: string, param: string | null = null) {
    super(message);
    this.name = 'KvShareError';
    this.code = code;
    this.param = param;
    if (made.hasSubscribers) made.publish(this);
  }

  get status(): number {
    return errorStatus[this.code];
  }
}

/** OpenAI-style error body. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: ErrorCode };
}

const errorType = (status: number): string => {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
};

/** The body for any thrown value; unknown errors keep their text to themselves. */
export function toErrorBody(error: unknown): ErrorBody {
  const known =
    error instanceof KvShareError
      ? error
      : new KvShareError('internal_error', 'The server failed on this request.');
  const { message, param, code, status } = known;
  return { error: { message, type: errorType(status), param, code } };
}
