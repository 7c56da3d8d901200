// The newest requests token by token: what was imported from whom, what was computed and why. Texts only where the
// route allows it, and then only for somebody who has the tenant's own key besides the admin key. When there are more
// requests than anybody can look at, some are passed over.
import { KvShareError } from '../errors.ts';
import type { Operator, ServedRequest } from '../sidecar/index.ts';
import { auditEntryOf, type AuditEntry } from './audit-ring.ts';

const MOST_REMEMBERED = 200;
const MOST_A_SECOND = 10;

type Marks = ReturnType<ServedRequest['spans']>;
type Reports = ReturnType<ServedRequest['donors']>;
type Import = NonNullable<ServedRequest['plan']>['imports'][number];

interface Inspected {
  readonly audit: AuditEntry;
  readonly scope: string;
  readonly marks: Marks;
  readonly reports: Reports;
  readonly imports: readonly Import[];
  readonly tokens: Int32Array | null;
}

/** Whether texts are shown, and if not, why. */
export const textStates = ['shown', 'not-enabled', 'needs-tenant-key', 'gone'] as const;
type TextState = (typeof textStates)[number];

export class Inspector {
  readonly #operator: Operator;
  readonly #now: () => number;
  /** By request, oldest first. */
  readonly #requests = new Map<string, Inspected>();
  #second = 0;
  #taken = 0;

  /** Monotonic milliseconds. */
  constructor(operator: Operator, now: () => number) {
    this.#operator = operator;
    this.#now = now;
  }

  add(served: ServedRequest): void {
    const second = Math.floor(this.#now() / 1_000);
    if (second !== this.#second) [this.#second, this.#taken] = [second, 0];
    if (++this.#taken > MOST_A_SECOND) return;
    const { id, scope, plan, tokens } = served;
    this.#requests.delete(id);
    this.#requests.set(id, {
      audit: auditEntryOf(served),
      scope,
      marks: served.spans(),
      reports: served.donors(),
      imports: plan?.imports ?? [],
      tokens,
    });
    const [oldest] = this.#requests.keys();
    if (this.#requests.size > MOST_REMEMBERED) this.#requests.delete(oldest!);
  }

  /** Newest first. */
  newest(limit: number): AuditEntry[] {
    const entries = [...this.#requests.values()].slice(-limit).reverse();
    return entries.map(({ audit }) => audit);
  }

  /** Throws `not_found`. `tenantKey`: of whoever looks, besides the admin key. */
  inspect(id: string, tenantKey: string | undefined) {
    const request = this.#requests.get(id);
    if (!request) {
      throw new KvShareError('not_found', 'This request is not remembered token by token.');
    }
    const state = this.#textStateOf(request, tenantKey);
    const texts = state === 'shown' ? this.#operator.textsOf(request.tokens!) : null;
    return {
      ...request.audit,
      text: state,
      spans: request.marks.map((mark) => ({
        ...mark,
        texts: texts?.slice(mark.start, mark.end) ?? null,
      })),
      compared: request.reports.map((report) => this.#compare(request, report, texts !== null)),
    };
  }

  #textStateOf({ tokens, audit }: Inspected, tenantKey: string | undefined): TextState {
    if (!tokens || !this.#operator.mayRead(audit.route)) return 'not-enabled';
    const tenant = tenantKey === undefined ? null : this.#operator.tenantOf(tenantKey);
    if (tenant === null || tenant !== audit.tenant) return 'needs-tenant-key';
    // What is gone as a donor is not shown as a request.
    const { stored } = audit;
    return stored === null || this.#operator.donor(stored) ? 'shown' : 'gone';
  }

  #compare({ scope, imports }: Inspected, report: Reports[number], showsText: boolean) {
    const { segment, ...numbers } = report;
    const donor = this.#operator.donor(segment);
    const used = imports
      .filter((entry) => entry.segment === segment)
      .map(({ donorStart, targetStart, length }) => ({ donorStart, targetStart, length }));
    // A donor of another scope would be somebody else's text, one of another route may be nobody's to read.
    const isReadable = showsText && donor?.scope === scope && donor.isReadable;
    return {
      donor: segment,
      ...numbers,
      isThere: donor !== null,
      used,
      texts: isReadable ? this.#operator.textsOf(donor.tokens) : null,
    };
  }
}
