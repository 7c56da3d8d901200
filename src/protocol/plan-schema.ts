// The JSON Schema of a reuse plan, version 1: published at GET /kvshare/plan.schema.json. It says what a
// plan looks like; check-plan.ts says what it must mean.
import { PLAN_VERSION, policyNames, recomputeReasons, topUpSelectors } from './reuse-plan.ts';

const position = { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } as const;
const text = (pattern: string) => ({ type: 'string', pattern }) as const;

const object = (properties: Record<string, unknown>, optional: Record<string, unknown> = {}) => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties),
  properties: { ...properties, ...optional },
});

export const planSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'KVShare reuse plan, protocol version 1',
  ...object(
    {
      version: { const: PLAN_VERSION },
      planId: text('^[A-Za-z0-9._-]{1,64}$'),
      fingerprint: text('^[A-Za-z0-9._-]{1,64}$'),
      numTokens: { ...position, minimum: 1 },
      policy: { enum: policyNames },
      imports: {
        type: 'array',
        items: object({
          segment: text('^[A-Za-z0-9._-]{1,64}$'),
          donorStart: position,
          targetStart: position,
          length: { ...position, minimum: 1 },
          exact: { type: 'boolean' },
        }),
      },
      recompute: {
        type: 'array',
        minItems: 1,
        items: object({ start: position, end: position, reason: { enum: recomputeReasons } }),
      },
      topUp: {
        anyOf: [
          { type: 'null' },
          object({
            selector: { enum: topUpSelectors },
            ratio: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
            window: { type: 'integer', minimum: 1, maximum: 64 },
            keep: { type: 'integer', minimum: 1, maximum: 64 },
          }),
        ],
      },
      fullLayers: { type: 'integer', minimum: 0, maximum: 1024 },
      decodeRefresh: { type: 'integer', minimum: 0, maximum: 64 },
    },
    { driftCorrection: { type: 'number', exclusiveMinimum: 0, maximum: 1 } },
  ),
} as const;
