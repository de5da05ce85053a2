/**
 * The nearest right spelling of a misspelt word, for messages such as "did you mean `max_batch_size`?". Pure.
 */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/**
 * The word of `known` that is nearest to `word`, or undefined where none is near: at most `most` letters differ; without
 * `most` a third of them, or the word is cut short. Case and punctuation count for nothing.
 */
export function nearestWord(word: string, known: Iterable<string>, most?: number): string | undefined {
  const wanted = bare(word.slice(0, 64));
  let best: string | undefined;
  let bestDistance = (most ?? Math.max(2, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of known) {
    const isCutShort = most === undefined && wanted.length > 3 && bare(candidate).startsWith(wanted);
    const distance = isCutShort ? 1 : editDistance(wanted, bare(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean "x"?)`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`;
}
