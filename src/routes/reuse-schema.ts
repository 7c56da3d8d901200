// The JSON Schema of everything an operator can set about reuse, at the top of kvshare.yaml and per route.
import { SHORTEST_RUN } from '../match/index.ts';
import { policyNames, topUpSelectors } from '../protocol/index.ts';

export const strictObject = (properties: Record<string, unknown>) => ({
  type: 'object',
  additionalProperties: false,
  properties,
});

const share = (description: string) => ({ type: 'number', minimum: 0, maximum: 1, description });
const tokens = (minimum: number, maximum: number, description: string) => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});

/** `naive` would give wrong answers: it exists for tests. */
const servedPolicies = policyNames.filter((name) => name !== 'naive');

export const reuseSchema = {
  ...strictObject({
    policy: { enum: servedPolicies, description: 'Which published policy plans reuse.' },
    minRun: tokens(SHORTEST_RUN, 4096, 'Shortest equal run of tokens that is imported.'),
    seam: tokens(0, 256, 'First tokens of a moved run that are recomputed.'),
    contextGrowth: {
      anyOf: [{ const: 0 }, { type: 'number', minimum: 1, maximum: 1000 }],
      description:
        'Tokens that would stand behind more than so many times the text of their donor are recomputed; 0 = none.',
    },
    closure: {
      ...strictObject({ min: tokens(0, 1024, 'At least.'), max: tokens(0, 1024, 'At most.') }),
      description: 'Tokens recomputed behind an edit inside a block.',
    },
    minReuse: share('Less than this share of the rest saved: exact prefix only.'),
    minSimilarity: share('Donors whose text is less similar are not used; 0 = do not ask.'),
    maxInversionShare: share('More reversed order than this: exact prefix only.'),
    mergeGap: tokens(0, 256, 'Shorter imported stretches between recomputed ones are recomputed.'),
    delimiterRefresh: { type: 'boolean', description: 'Recompute sentence ends and newlines.' },
    strict: {
      type: 'boolean',
      description: 'Exact prefix only behind an edit of a number, date, name, negation …',
    },
    topUp: {
      anyOf: [
        { type: 'null' },
        {
          ...strictObject({
            selector: { enum: topUpSelectors },
            ratio: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
            window: tokens(1, 64, 'Tokens are picked in groups of so many neighbours.'),
            keep: tokens(1, 64, 'Of a picked group, the best so many.'),
          }),
          required: ['selector', 'ratio'],
        },
      ],
      description: 'Tokens that the runner picks to recompute besides.',
    },
    fullLayers: tokens(0, 1024, 'First layers that are computed for every token.'),
    decodeRefresh: tokens(0, 64, 'Imported tokens computed again with each generated token.'),
    driftCorrection: share(
      'Of the mean change that recomputed tokens show, so much is added to imported ones.',
    ),
    qualityBudget: {
      ...strictObject({
        top1: share('Least share of samples whose first token is that of a full prefill.'),
        kl: { type: 'number', minimum: 0, description: 'Highest mean KL to full prefill, nats.' },
        samples: tokens(50, 10_000, 'Samples before a policy on trial serves.'),
        share: share(
          'Share of reused requests that is compared with a full prefill; 0 = no guard.',
        ),
      }),
      description:
        'What answers keep to: outside of it a tenant reuses less there, until it is clean.',
    },
    shadow: {
      type: 'boolean',
      description: 'Plan, judge and record, but compute every prompt in full.',
    },
  }),
  description: 'How KV is reused.',
} as const;
