/**
 * What a plan does next, as a pure function of what was counted since its step began. One decision, one sentence with the
 * numbers. Every judgement is a test that may be repeated at any time; the plan's chance of a false alarm is shared out
 * evenly over all tests of all steps, so the plan as a whole keeps it.
 */
import { chanceText, shareEvidence, shareVerdict, type ShareVerdict } from '../core/sequential.js';
import type { Buckets } from '../core/shadow.js';
import type { CanaryPlan, CanaryStep } from './plan.js';

export type CanaryAction = 'hold' | 'advance' | 'promote' | 'rollback';

export interface SideFacts {
  /** Requests that ended, well or by the server's fault. */
  readonly requests: number;
  readonly errors: number;
  /** Of those that ended well, microseconds. */
  readonly latencyUs: Buckets;
}

/** All since the step began. */
export interface CanaryFacts {
  readonly candidateReady: boolean;
  readonly baselineReady: boolean;
  readonly candidate: SideFacts;
  readonly baseline: SideFacts;
  readonly compared: number;
  readonly apart: number;
  /** Sampled requests that the candidate failed in the shadow. */
  readonly shadowFailed: number;
}

export interface CanaryDecision {
  readonly action: CanaryAction;
  /** One sentence. */
  readonly reason: string;
}

export interface StepState {
  readonly plan: CanaryPlan;
  /** From 0. */
  readonly step: number;
  readonly beganMs: number;
  /** What the baseline's p99 was before the candidate had traffic, times the limit; undefined where nobody asks. */
  readonly latencyLimitUs: number | undefined;
}

/** Fewer of the baseline's requests tell too little about its p99. */
export const LEAST_FOR_P99 = 500;
const P99_SHARE = 0.01;

interface Judgement {
  readonly name: string;
  readonly hits: number;
  readonly trials: number;
  readonly limit: number;
  readonly verdict: ShareVerdict;
  readonly chance: number;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

function tell({ name, hits, trials, limit }: Judgement): string {
  const seen = trials === 0 ? 'none seen yet' : `${hits} of ${trials} (${percent(hits / trials)})`;
  return `${name} ${seen}, limit ${percent(limit)}`;
}

export function stepName(plan: CanaryPlan, index: number): string {
  const step = plan.steps[index];
  const what = step?.weight === undefined ? `shadow ${step?.shadowPercent} %` : `weight ${step.weight} %`;
  return `step ${index + 1} of ${plan.steps.length} (${what})`;
}

/** The bound that a share of `quantile` does not exceed; undefined where too little was counted. */
export function boundOfQuantile(buckets: Buckets, quantile: number, least = 1): number | undefined {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (total < least) return undefined;
  let below = 0;
  for (const [upper, count] of buckets) {
    below += count;
    if (below >= quantile * total) return upper;
  }
  return undefined;
}

export function latencyLimitUs(plan: CanaryPlan, baseline: SideFacts): number | undefined {
  if (plan.limits.p99Ratio === undefined) return undefined;
  const p99 = boundOfQuantile(baseline.latencyUs, 1 - P99_SHARE, LEAST_FOR_P99);
  return p99 === undefined ? undefined : p99 * plan.limits.p99Ratio;
}

/** Tests in all steps together. */
function testCount({ steps, limits }: CanaryPlan): number {
  const ofShadow = limits.disagreement === undefined ? 0 : 1;
  const ofWeight = (limits.errorRate === undefined ? 0 : 1) + (limits.p99Ratio === undefined ? 0 : 1);
  return steps.reduce((sum, step) => sum + (step.weight === undefined ? ofShadow : ofWeight), 0);
}

function judge(name: string, hits: number, trials: number, limit: number, falseAlarm: number): Judgement {
  const evidence = shareEvidence(hits, trials, limit);
  const verdict = shareVerdict(evidence, falseAlarm);
  const chance = verdict === 'below' ? evidence.chanceIfBeyond : evidence.chanceIfWithin;
  return { name, hits, trials, limit, verdict, chance };
}

function judgements(state: StepState, step: CanaryStep, facts: CanaryFacts): Judgement[] {
  const { limits, falseAlarm } = state.plan;
  const alarm = falseAlarm / testCount(state.plan);
  if (step.weight === undefined) {
    const { compared, apart, shadowFailed } = facts;
    if (limits.disagreement === undefined) return [];
    // An answer that the candidate could not give is one that differs.
    return [judge('disagreement', apart + shadowFailed, compared + shadowFailed, limits.disagreement, alarm)];
  }
  const found: Judgement[] = [];
  const { requests, errors, latencyUs } = facts.candidate;
  if (limits.errorRate !== undefined)
    found.push(judge('error rate', errors, requests, limits.errorRate, alarm));
  if (limits.p99Ratio !== undefined) {
    const limitUs = state.latencyLimitUs;
    const timed = limitUs === undefined ? [] : latencyUs;
    const trials = timed.reduce((sum, [, count]) => sum + count, 0);
    const hits = timed.reduce((sum, [upper, count]) => sum + (upper > (limitUs ?? 0) ? count : 0), 0);
    const bound = limitUs === undefined ? 'p99 of the baseline' : `${(limitUs / 1000).toPrecision(3)} ms`;
    found.push(judge(`slower than ${bound}`, hits, trials, P99_SHARE, alarm));
  }
  return found;
}

export function decide(state: StepState, facts: CanaryFacts, nowMs: number): CanaryDecision {
  const { plan } = state;
  const step = plan.steps[state.step];
  if (step === undefined) throw new Error(`expected a step below ${plan.steps.length}, got ${state.step}`);
  const name = stepName(plan, state.step);
  if (!facts.candidateReady)
    return { action: 'rollback', reason: `${name}: version ${plan.candidate} is no longer ready.` };
  if (!facts.baselineReady)
    return { action: 'hold', reason: `${name}: version ${plan.baseline}, the baseline, is not ready.` };

  const found = judgements(state, step, facts);
  const bad = found.find(({ verdict }) => verdict === 'above');
  if (bad !== undefined) {
    const chance = chanceText(bad.chance);
    const reason = `${name}: ${tell(bad)}; a version within the limit shows this with a chance of at most ${chance}.`;
    return { action: 'rollback', reason };
  }
  const told = found.map(tell).join('; ');
  const seconds = (nowMs - state.beganMs) / 1000;
  const samples = Math.min(...found.map(({ trials }) => trials));
  const isProven = found.every(({ verdict }) => verdict === 'below');
  if (isProven && samples >= step.minSamples && seconds >= step.minSeconds) {
    const isLast = state.step === plan.steps.length - 1;
    const chance = chanceText(Math.max(...found.map((one) => one.chance)));
    const reason = `${name}: ${told}; a version beyond a limit shows this with a chance of at most ${chance}.`;
    return { action: isLast ? 'promote' : 'advance', reason };
  }
  const waits: string[] = [];
  if (samples < step.minSamples) waits.push(`${samples} of ${step.minSamples} samples`);
  if (seconds < step.minSeconds) waits.push(`${Math.floor(seconds)} of ${step.minSeconds} s`);
  const open = found.find(({ verdict }) => verdict !== 'below');
  if (open !== undefined) waits.push(`${open.name} is not decided`);
  const late = seconds > step.maxSeconds ? `, for longer than ${step.maxSeconds} s: decide by hand` : '';
  return { action: 'hold', reason: `${name}: ${told}; waiting: ${waits.join(', ')}${late}.` };
}
