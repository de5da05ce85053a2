/**
 * The `shadow` part of rollout.json: which version answers a sample of which other version's requests, and how the answers
 * are compared. The schema is all that may be written there; messages say what was expected.
 */
import { z } from 'zod';
import type { ShadowRules } from '../core/shadow.js';

function between(least: number, most: number) {
  const expected = `expected a number from ${least} to ${most}`;
  return z.number(expected).min(least, expected).max(most, expected);
}

function wholeNumber(least: number, most: number) {
  const expected = `expected a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
}

const versionOrAlias = z
  .string('expected a version or an alias as a text, such as "2"')
  .regex(/^[\w.-]{1,64}$/, 'expected a version or an alias as a text, such as "2"');

const compareRule = z.strictObject({
  absolute: between(0, Number.MAX_VALUE).optional(),
  relative: between(0, 1e6).optional(),
  leastCosine: between(-1, 1).optional(),
  topK: wholeNumber(0, 64).optional(),
  judge: z
    .enum(['tolerance', 'top1', 'cosine', 'none'], 'expected tolerance, top1, cosine or none')
    .optional(),
});

export const shadowRule = z.strictObject({
  /** The version that runs in the shadow. */
  version: versionOrAlias,
  /** Whose requests; absent: those of every other version of the model. */
  of: versionOrAlias.optional(),
  percent: between(0, 100).default(100),
  seed: wholeNumber(0, 2 ** 32 - 1).default(1),
  /** Only requests with this header. */
  when: z
    .strictObject({
      header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'expected the name of a header'),
      equals: z.string('expected a text').max(256),
    })
    .optional(),
  outputs: z.record(z.string(), compareRule).default({}),
  maxWaiting: wholeNumber(1, 65_536).optional(),
  maxWaitingBytes: wholeNumber(1024, 2 ** 32).optional(),
  /** Share of compared requests that may differ before the shadow is flagged. */
  allowedDisagreement: z
    .number()
    .gt(0, 'expected a share above 0 and below 1')
    .lt(1, 'expected a share above 0 and below 1')
    .default(0.01),
  /** The chance to ever flag a shadow that stays within it. */
  falseAlarm: z
    .number()
    .gt(0, 'expected a chance above 0 and at most 0.5')
    .max(0.5, 'expected a chance above 0 and at most 0.5')
    .default(0.001),
});

export type ShadowRule = z.output<typeof shadowRule>;

export const shadowPart = z.array(shadowRule).max(16, 'expected at most 16 shadows');

export function engineRules(rule: ShadowRule): ShadowRules {
  const { outputs, maxWaiting, maxWaitingBytes } = rule;
  return { outputs, maxWaiting, maxWaitingBytes };
}
