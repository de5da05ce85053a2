/**
 * The decision for one request that names no version, where a rollout has rules or a split: rules in their order, then the
 * split, then the default. Everything is worked out beforehand; a decision reads headers, draws numbers, and makes nothing.
 */
import type { VersionEntry } from '../core/snapshot.js';
import { hashText, unitNumber, type RandomNumbers } from './hash.js';
import { STABLE } from './moves.js';
import { versionOf, type Rollout, type Rule } from './rollout.js';
import { takes } from './rules.js';
import { Split } from './split.js';

export interface Headers {
  /** Lower-case name; '' when absent. */
  header(name: string): string;
}

/** Where a request goes. Made once for each snapshot, so that one picture of routing always hands out the same objects. */
export interface Target {
  readonly version: VersionEntry;
}

interface ReadyRule {
  readonly rule: Rule;
  readonly target: Target;
  /** Of 1; requests over it go on to the next rule. */
  readonly share: number;
  readonly highSalt: number;
  readonly lowSalt: number;
}

const HIGH_SEED = 0x7e4a11;
const LOW_SEED = 0x2b992d;

export class Chooser {
  private constructor(
    private readonly rules: readonly ReadyRule[],
    private readonly split: Split | undefined,
    private readonly arms: readonly Target[],
    private readonly fallback: Target | undefined,
    private readonly random: RandomNumbers,
  ) {}

  /** undefined where nothing is to be chosen: the default serves all. */
  static of(
    modelName: string,
    rollout: Rollout,
    targetOf: (version: string) => Target | undefined,
    fallback: Target | undefined,
    random: RandomNumbers,
  ): Chooser | undefined {
    const salt = `${modelName}/${rollout.salt ?? ''}`;
    const readyTarget = (name: string): Target | undefined => {
      const version = versionOf(rollout, name);
      return version === undefined ? undefined : targetOf(version);
    };
    // Whatever is not READY takes no part: its share goes to the others.
    const rules = (rollout.rules ?? []).flatMap((rule, index): ReadyRule[] => {
      const target = readyTarget(rule.to);
      if (target === undefined || rule.percent === 0) return [];
      const salts = {
        highSalt: hashText(`${salt}/rule ${index}`, 17),
        lowSalt: hashText(`${salt}/rule ${index}`, 19),
      };
      return [{ rule, target, share: (rule.percent ?? 100) / 100, ...salts }];
    });
    const arms = (rollout.split ?? []).flatMap((arm) => {
      const target = readyTarget(arm.to);
      return target === undefined || arm.weight === 0 ? [] : [{ name: arm.to, weight: arm.weight, target }];
    });
    if (rules.length === 0 && arms.length === 0) return undefined;
    const split = arms.length === 0 ? undefined : new Split(arms, salt);
    const targets = arms.map(({ target }) => target);
    return new Chooser(rules, split, targets, fallback, random);
  }

  /** `key` '': the client gave none, and may get another version the next time. undefined: the default is not READY. */
  choose(headers: Headers, key: string): Target | undefined {
    for (const ready of this.rules) {
      if (takes(ready.rule, headers.header(ready.rule.header)) && this.isInShare(ready, key))
        return ready.target;
    }
    const { split } = this;
    if (split === undefined) return this.fallback;
    return this.arms[key === '' ? split.atRandom(this.random) : split.ofKey(key)];
  }

  /** Some target, for those who only ask what the model looks like. */
  anyTarget(): Target | undefined {
    return this.arms[0] ?? this.rules[0]?.target;
  }

  private isInShare({ share, highSalt, lowSalt }: ReadyRule, key: string): boolean {
    if (share >= 1) return true;
    if (key === '') return this.random.next() < share;
    return unitNumber(hashText(key, HIGH_SEED), hashText(key, LOW_SEED), highSalt, lowSalt) < share;
  }
}

/** The version of requests that name none, apart from rules and split; undefined: the model's own default. */
export function defaultName(rollout: Rollout): string | undefined {
  return rollout.default ?? (rollout.aliases?.[STABLE] === undefined ? undefined : STABLE);
}
