// Every error that leaves a room: one stable code, one HTTP status, one message for a person.
// The edge (sidecar/app, runner/server, CLI) turns a KvShareError into a body or one line; anything
// else that is thrown is a bug and becomes `internal_error` without its text, which may hold a prompt.

/** Stable code → HTTP status. Codes are part of the public interface: never renamed, only added. */
export const errorStatus = {
  // requests
  invalid_json: 400,
  invalid_request: 400,
  unsupported_parameter: 400,
  unsupported_content: 400,
  context_length_exceeded: 400,
  body_too_large: 413,
  invalid_api_key: 401,
  /** A key that is known, but not for this. */
  forbidden: 403,
  model_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  /** More would be pinned than may be. */
  pin_refused: 409,
  queue_full: 429,
  request_timeout: 504,
  request_cancelled: 499,
  runner_unavailable: 503,
  /** The server drains: it finishes what it has begun. */
  shutting_down: 503,
  runner_failed: 502,
  /** This kind of runner cannot do that at all. */
  runner_unable: 501,
  upstream_failed: 502,
  internal_error: 500,
  // reuse plans
  plan_invalid: 400,
  plan_version_unsupported: 400,
  plan_fingerprint_mismatch: 400,
  plan_unknown_segment: 400,
  plan_out_of_bounds: 400,
  plan_unsupported: 400,
  // start-up
  model_unavailable: 500,
  model_invalid: 500,
  backend_unavailable: 500,
  config_invalid: 500,
  native_build_failed: 500,
  port_in_use: 500,
  /** A process that we started gave up; it has said why on stderr. */
  child_failed: 500,
} as const;

export type ErrorCode = keyof typeof errorStatus;

export class KvShareError extends Error {
  readonly code: ErrorCode;
  /** The request parameter at fault, as in OpenAI error bodies. */
  readonly param: string | null;

  constructor(code: ErrorCode, message: string, param: string | null = null) {
    super(message);
    this.name = 'KvShareError';
    this.code = code;
    this.param = param;
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
