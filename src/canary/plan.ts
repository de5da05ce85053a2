/**
 * The `plan` part of rollout.json: the steps by which a candidate takes over from a baseline, and the limits that it must
 * keep. The schema is all that may be written there; a plan without a limit is refused, because it could only promote.
 */
import { z } from 'zod';

function between(least: number, most: number) {
  const expected = `expected a number from ${least} to ${most}`;
  return z.number(expected).min(least, expected).max(most, expected);
}

function share() {
  const expected = 'expected a share above 0 and below 1';
  return z.number(expected).gt(0, expected).lt(1, expected);
}

const versionOrAlias = z
  .string('expected a version or an alias as a text, such as "2"')
  .regex(/^[\w.-]{1,64}$/, 'expected a version or an alias as a text, such as "2"');

const step = z
  .strictObject({
    /** Share of the baseline's requests that the candidate answers in the shadow, in percent. */
    shadowPercent: between(0.001, 100).optional(),
    /** Share of the requests that the candidate answers for real, in percent. */
    weight: between(0.01, 100).multipleOf(0.01, 'expected at most two decimals').optional(),
    minSamples: z.int('expected a whole number').min(1, 'expected at least 1').default(100),
    minSeconds: between(0, 7 * 86_400).default(0),
    /** Held for a human when it has not been decided by then. */
    maxSeconds: between(1, 30 * 86_400).default(86_400),
  })
  .refine(
    ({ shadowPercent, weight }) => (shadowPercent === undefined) !== (weight === undefined),
    'expected either shadowPercent or weight',
  );

const limits = z
  .strictObject({
    /** Of the candidate's requests, those that fail by the server's fault. Weight steps. */
    errorRate: share().optional(),
    /** The candidate's p99 latency over the baseline's. Weight steps. */
    p99Ratio: between(1, 1000).optional(),
    /** Of the compared requests, those whose answers differ. Shadow steps. */
    disagreement: share().optional(),
  })
  .refine(
    (given) => Object.values(given).some((limit) => limit !== undefined),
    'expected at least one of errorRate, p99Ratio and disagreement: a plan without limits can only promote',
  );

export const canaryPlan = z
  .strictObject({
    candidate: versionOrAlias,
    baseline: versionOrAlias,
    steps: z.array(step).min(1, 'expected at least one step').max(32, 'expected at most 32 steps'),
    limits,
    /** The chance that the whole plan rolls back a candidate which keeps every limit. */
    falseAlarm: between(1e-9, 0.5).default(0.01),
    checkSeconds: between(0.05, 3600).default(5),
  })
  .superRefine((plan, context) => {
    if (plan.candidate === plan.baseline)
      context.addIssue({
        code: 'custom',
        path: ['candidate'],
        message: 'expected another version than baseline',
      });
    plan.steps.forEach((one, index) => {
      const isJudged =
        one.weight === undefined
          ? plan.limits.disagreement !== undefined
          : plan.limits.errorRate !== undefined || plan.limits.p99Ratio !== undefined;
      if (isJudged) return;
      const wanted = one.weight === undefined ? 'disagreement' : 'errorRate or p99Ratio';
      context.addIssue({
        code: 'custom',
        path: ['steps', index],
        message: `expected limits.${wanted}: nothing else judges this step`,
      });
    });
  });

export type CanaryPlan = z.output<typeof canaryPlan>;
export type CanaryStep = CanaryPlan['steps'][number];
