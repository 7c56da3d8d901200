// What a check of `kvshare doctor` says.

export interface Finding {
  readonly check: string;
  /** `fail`: it will not start or not serve; `warn`: it will, with a catch. */
  readonly state: 'ok' | 'warn' | 'fail';
  /** What was found; one line. */
  readonly says: string;
  /** What to do about it. */
  readonly todo?: string;
}

/** Findings of one check, by its name. */
export const findingsOf = (check: string) => ({
  ok: (says: string): Finding => ({ check, state: 'ok', says }),
  warn: (says: string, todo: string): Finding => ({ check, state: 'warn', says, todo }),
  fail: (says: string, todo: string): Finding => ({ check, state: 'fail', says, todo }),
});

export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
