/**
 * The rules of a rollout: which header texts they take. Patterns are globs, not regular expressions: a header comes from
 * strangers, and a glob takes time in proportion to its length whatever they send. Pure, and makes no objects.
 */
import type { Rule } from './rollout.js';

/** `*` stands for any text, `?` for one character; everything else for itself. */
export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0;
  let patternAt = 0;
  let starAt = -1;
  let starTextAt = 0;
  while (at < text.length) {
    const wanted = pattern[patternAt];
    if (wanted === '*') {
      starAt = patternAt;
      starTextAt = at;
      patternAt += 1;
    } else if (wanted === '?' || wanted === text[at]) {
      patternAt += 1;
      at += 1;
    } else if (starAt >= 0) {
      // The last star takes one character more.
      starTextAt += 1;
      at = starTextAt;
      patternAt = starAt + 1;
    } else {
      return false;
    }
  }
  while (pattern[patternAt] === '*') patternAt += 1;
  return patternAt === pattern.length;
}

/** Longer values match no pattern. */
const MAX_TEXT = 1024;

/** An absent header ('') is taken by no rule. */
export function takes(rule: Rule, text: string): boolean {
  if (text === '' || text.length > MAX_TEXT) return false;
  if (rule.equals !== undefined) return text === rule.equals;
  if (rule.prefix !== undefined) return text.startsWith(rule.prefix);
  return rule.matches !== undefined && matchesGlob(text, rule.matches);
}
