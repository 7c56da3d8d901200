// Guidelines computed before the first user comes.
import { KvShareError } from '../../errors.ts';
import type { Operator, WarmPrompt } from '../../sidecar/index.ts';
import { count, listOf, number, orNull, strictObject, text, type Endpoint } from '../endpoint.ts';

const messages = {
  ...listOf(strictObject({ role: { enum: ['system', 'user', 'assistant'] }, content: text })),
  minItems: 1,
};

interface WarmBody {
  readonly tenant: string;
  readonly prompts: readonly WarmPrompt[];
  readonly pinForSeconds?: number;
}

export const warmEndpoints = (operator: Operator, tenants: readonly string[]): Endpoint[] => [
  {
    method: 'post',
    path: '/admin/warm',
    name: 'warm',
    summary: 'Computes prompts for a tenant, one after the other, so that its users find their KV.',
    body: strictObject(
      {
        tenant: text,
        prompts: { ...listOf(messages), minItems: 1, maxItems: 1_000 },
        pinForSeconds: { ...number, exclusiveMinimum: 0 },
      },
      ['tenant', 'prompts'],
    ),
    answer: strictObject({
      warmed: listOf(
        strictObject({ donor: orNull(text), tokens: count, exactTokens: count, ms: number }),
      ),
    }),
    handle: async ({ body, signal }) => {
      const { tenant, prompts, pinForSeconds } = body as WarmBody;
      if (!tenants.includes(tenant)) {
        throw new KvShareError('invalid_request', 'No such tenant.', 'tenant');
      }
      const warmed = [];
      for (const prompt of prompts) {
        const { segment, ...numbers } = await operator.warm(tenant, prompt, signal);
        if (segment !== null && pinForSeconds !== undefined) {
          await operator.store.pin([segment], pinForSeconds * 1_000);
        }
        warmed.push({ donor: segment, ...numbers });
      }
      return { warmed };
    },
  },
];
