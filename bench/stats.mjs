/**
 * The statistics of interleaved rounds. A round holds one value per side; comparisons are made inside a round and only then
 * summarised, so that a machine that slows down slows both. Percentiles are never averaged over blocks: a block's own is a value.
 */
export function median(values) {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Mean of the middle half: neither the best quarter nor the worst one counts. */
function middleMean(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const cut = Math.floor(sorted.length / 4);
  const middle = sorted.slice(cut, sorted.length - cut);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/**
 * The p99 of short slots of a run, the middle half of them. A machine that is taken away for some milliseconds, here and there, is
 * the whole p99 of a second; of twenty slots it spoils a few. What a server does all the time is in every slot.
 */
export function calmP99Us({ slots }) {
  return middleMean(slots.map(({ answered, p99Us }) => (answered === 0 ? Infinity : p99Us)));
}

export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Where the median of what `values` are drawn from lies, with 95 % certainty: by the order of the values alone. */
function medianBounds(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const reach = (1.96 * Math.sqrt(sorted.length)) / 2;
  const at = (place) => sorted[Math.min(sorted.length - 1, Math.max(0, place))];
  const middle = (sorted.length - 1) / 2;
  return { low: at(Math.floor(middle - reach)), high: at(Math.ceil(middle + reach)) };
}

/** Ratios in a line: their median, its bounds, and the least and the most of them. */
export function ratioText(ratios, digits) {
  const { median: middle, min, max } = summary(ratios);
  const { low, high } = medianBounds(ratios);
  const text = (ratio) => ratio.toFixed(digits);
  return `${text(middle)}, 95 % bounds ${text(low)} .. ${text(high)} (${text(min)} .. ${text(max)})`;
}

/**
 * Of rounds of four turns that are mirrored (with, without, without, with, or the other way round), one after the other: each turn
 * with over the one beside it without, and the two middle turns, which are alike, over each other.
 */
export function mirroredRatios(turns, isWith, valueOf) {
  const changes = [];
  const alike = [];
  for (let at = 0; at < turns.length; at += 4) {
    const values = turns.slice(at, at + 4).map(valueOf);
    for (const first of [0, 2]) {
      const ratio = values[first] / values[first + 1];
      changes.push(isWith(turns[at + first]) ? ratio : 1 / ratio);
    }
    alike.push(values[2] / values[1]);
  }
  return { changes, alike };
}

/** The rounds whose control rate lies within `most` of the median of all, and how many do not. */
export function keepSteady(rounds, control, most = 0.15) {
  const middle = median(rounds.map((round) => round[control].rate));
  const kept = rounds.filter((round) => Math.abs(round[control].rate / middle - 1) <= most);
  return { kept, discarded: rounds.length - kept.length };
}

/** One comparison over the kept rounds: a ratio, for latencies what the subject adds, or without a base the value itself. */
export function compare(rounds, { id, of, subject, base, atLeast, atMost, addsAtMost }) {
  const kind = base === undefined ? 'value' : addsAtMost === undefined ? 'ratio' : 'added';
  const values = rounds.map((round) => {
    const value = round[subject][of];
    if (kind === 'value') return value;
    return kind === 'ratio' ? value / round[base][of] : value - round[base][of];
  });
  const result = { id, of, subject, base, kind, ...summary(values) };
  if (atLeast !== undefined) return { ...result, atLeast, isMet: result.median >= atLeast };
  if (atMost !== undefined) return { ...result, atMost, isMet: result.median <= atMost };
  if (addsAtMost !== undefined) return { ...result, addsAtMost, isMet: result.median <= addsAtMost };
  return result;
}
