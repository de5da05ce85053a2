/**
 * A test that may be looked at after every single observation and still keeps its false-alarm rate: a mixture of
 * likelihood ratios against a limit of a proportion. Pure.
 *
 * Each part of the mixture bets on one share q beyond the limit p0. Where the true share is at most p0, what such a bet
 * has won so far is a supermartingale that begins at 1, and so is their mean; it therefore ever passes 1 / alpha with a
 * probability of at most alpha (Ville), however long one watches and whenever one looks.
 */

/** Below this a number of 64 bits ends; what is said must stay a bound. */
const LEAST_CHANCE = 1e-300;

/** Bets per side. They lie closer together near the limit, where telling the two apart takes longest. */
const BETS = 40;

function betsAbove(limit: number): number[] {
  // From 2 % beyond the limit up to nearly all, evenly in the logarithm of the odds' distance.
  return Array.from({ length: BETS }, (_, i) => limit + (1 - limit) * 0.02 ** (1 - i / BETS) * 0.999);
}

function betsBelow(limit: number): number[] {
  return Array.from({ length: BETS }, (_, i) => limit * (1 - 0.02 ** (1 - i / BETS) * 0.999));
}

/** Logarithm of what the mixture of bets has won after `hits` in `trials`. */
function logEvidence(bets: readonly number[], limit: number, hits: number, trials: number): number {
  const logs = bets.map(
    (q) => hits * Math.log(q / limit) + (trials - hits) * Math.log((1 - q) / (1 - limit)),
  );
  const most = Math.max(...logs);
  if (most === -Infinity) return -Infinity;
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0) / bets.length);
}

/** An upper bound of a chance, as people read it. */
export function chanceText(chance: number): string {
  return Math.max(chance, LEAST_CHANCE).toPrecision(2);
}

export type ShareVerdict = 'above' | 'below' | 'open';

export interface ShareEvidence {
  readonly hits: number;
  readonly trials: number;
  readonly limit: number;
  /** Upper bounds, good at any time, of the chance to see this where the share is within, or beyond, the limit. */
  readonly chanceIfWithin: number;
  readonly chanceIfBeyond: number;
}

function checkCounts(hits: number, trials: number): void {
  if (!(Number.isInteger(hits) && Number.isInteger(trials) && hits >= 0 && hits <= trials)) {
    throw new Error(`expected whole numbers of hits in trials, got ${hits} in ${trials}`);
  }
}

/** `limit` strictly between 0 and 1. */
export function shareEvidence(hits: number, trials: number, limit: number): ShareEvidence {
  checkCounts(hits, trials);
  if (!(limit > 0 && limit < 1)) throw new Error(`expected a limit between 0 and 1, got ${limit}`);
  const above = logEvidence(betsAbove(limit), limit, hits, trials);
  const below = logEvidence(betsBelow(limit), limit, hits, trials);
  return {
    hits,
    trials,
    limit,
    chanceIfWithin: Math.min(1, Math.exp(-above)),
    chanceIfBeyond: Math.min(1, Math.exp(-below)),
  };
}

/** `above`: beyond the limit, wrongly said with a chance of at most `falseAlarm`; `below`: within it, likewise. */
export function shareVerdict(evidence: ShareEvidence, falseAlarm: number): ShareVerdict {
  if (evidence.chanceIfWithin <= falseAlarm) return 'above';
  if (evidence.chanceIfBeyond <= falseAlarm) return 'below';
  return 'open';
}
