/** What people and scripts read of a shadow: its figures, what follows from them, and whether it is flagged. Pure. */
import { chanceText, shareEvidence, shareVerdict } from '../core/sequential.js';
import type { Buckets, ShadowFacts, ShadowMismatch } from '../core/shadow.js';
import type { ShadowRule } from './rules.js';
import type { Shadow } from './shadows.js';

export interface ShadowReport {
  readonly model: string;
  /** '' where no version is ready for it. */
  readonly primary: string;
  readonly shadow: string;
  readonly isRunning: boolean;
  /** Why it does not run; '' otherwise. */
  readonly reason: string;
  readonly rule: ShadowRule;
  /** Share of the compared requests that differ; null before the first. */
  readonly disagreement: number | null;
  /** True where more differ than the rule allows, by a test that may be read at any time. */
  readonly isFlagged: boolean;
  readonly verdict: string;
  readonly primaryRunUs: Quantiles | null;
  readonly shadowRunUs: Quantiles | null;
  readonly facts: ShadowFacts | null;
}

export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Upper bounds of the buckets in which the quantiles lie; null where nothing was counted. */
export function quantilesOf(buckets: Buckets): Quantiles | null {
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  const at = (quantile: number): number => {
    let below = 0;
    for (const [upper, count] of buckets) {
      below += count;
      if (below >= quantile * total) return upper;
    }
    return Infinity;
  };
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** A shadow that fails on a request has not given the same answer. */
function judged(facts: ShadowFacts): { hits: number; trials: number } {
  const failed = facts.skipped['runFailed'] ?? 0;
  return { hits: facts.apart + failed, trials: facts.compared + failed };
}

export function isFlagged(facts: ShadowFacts, rule: ShadowRule): boolean {
  const { hits, trials } = judged(facts);
  return shareVerdict(shareEvidence(hits, trials, rule.allowedDisagreement), rule.falseAlarm) === 'above';
}

function verdictText(facts: ShadowFacts, rule: ShadowRule): string {
  const { hits, trials } = judged(facts);
  if (trials === 0) return 'nothing compared yet';
  const seen = `${hits} of ${trials} compared requests differ (${percent(hits / trials)})`;
  const evidence = shareEvidence(hits, trials, rule.allowedDisagreement);
  const allowed = percent(rule.allowedDisagreement);
  switch (shareVerdict(evidence, rule.falseAlarm)) {
    case 'above':
      return `${seen}: more than the ${allowed} allowed, with a chance of at most ${chanceText(evidence.chanceIfWithin)} to be wrong`;
    case 'below':
      return `${seen}: within the ${allowed} allowed, with a chance of at most ${chanceText(evidence.chanceIfBeyond)} to be wrong`;
    case 'open':
      return `${seen}: too few to tell whether it is within the ${allowed} allowed`;
  }
}

export function shadowReport(shadow: Shadow, facts: ShadowFacts | undefined): ShadowReport {
  const { rule } = shadow;
  const trials = facts === undefined ? 0 : judged(facts).trials;
  return {
    model: shadow.modelName,
    primary: shadow.primary?.version ?? '',
    shadow: shadow.shadow?.version ?? '',
    isRunning: facts !== undefined,
    reason: shadow.reason,
    rule,
    disagreement: facts === undefined || trials === 0 ? null : judged(facts).hits / trials,
    isFlagged: facts !== undefined && isFlagged(facts, rule),
    verdict: facts === undefined ? `not running: ${shadow.reason}` : verdictText(facts, rule),
    primaryRunUs: facts === undefined ? null : quantilesOf(facts.primaryRunUs),
    shadowRunUs: facts === undefined ? null : quantilesOf(facts.shadowRunUs),
    facts: facts ?? null,
  };
}

export interface MismatchRow {
  /** Names it in the admin API: the number of the shadow, then its own. */
  readonly id: string;
  readonly primary: string;
  readonly shadow: string;
  readonly time: string;
  /** Endless (null in JSON) where shapes differ or one side is not a number. */
  readonly excess: number;
  readonly rows: number;
  readonly hasBodies: boolean;
  readonly outputs: ShadowMismatch['outputs'];
}

export function mismatchRow(shadow: Shadow, mismatch: ShadowMismatch): MismatchRow {
  return {
    id: `${shadow.number}-${mismatch.number}`,
    primary: shadow.primary?.version ?? '',
    shadow: shadow.shadow?.version ?? '',
    time: new Date(mismatch.unixMs).toISOString(),
    excess: mismatch.excess,
    rows: mismatch.rows,
    hasBodies: mismatch.request !== undefined,
    outputs: mismatch.outputs,
  };
}
