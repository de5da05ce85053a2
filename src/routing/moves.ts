/**
 * The changes that people and plans make to a rollout, each as a pure function from the rollout before to the one after, with
 * one sentence that tells what happened. `previous` follows `stable` by itself, so that going back is always one call.
 */
import { SluiceError } from '../core/errors.js';
import { shown } from '../core/problem.js';
import { ALIAS_NAME, versionOf, type Arms, type Rollout } from './rollout.js';

export interface Move {
  readonly rollout: Rollout;
  readonly told: string;
}

export const STABLE = 'stable';
export const CANARY = 'canary';
export const PREVIOUS = 'previous';

/** Without the fields that are undefined: a file says what is, not what is not. */
function tidy(rollout: { [Field in keyof Rollout]?: Rollout[Field] | undefined }): Rollout {
  const kept = Object.entries(rollout).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept);
}

function conflict(message: string): SluiceError {
  return new SluiceError('CONFLICT', message);
}

/** A name from a path: what every object has under it is no alias. */
function aliasIn({ aliases = {} }: Rollout, alias: string): string | undefined {
  return Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
}

/** `name` may be a version or another alias. */
export function setAlias(rollout: Rollout, alias: string, name: string): Move {
  // Before the schema, which would pass over "__proto__" without a word.
  if (!ALIAS_NAME.test(alias))
    throw new SluiceError(
      'CONFIG_INVALID',
      `expected an alias of letters, digits, ".", "_" and "-" that begins with a letter, got ${shown(alias)}`,
    );
  const version = versionOf(rollout, name);
  if (version === undefined)
    throw new SluiceError('NOT_FOUND', `expected a version or one of the aliases, got "${name}"`);
  const before = aliasIn(rollout, alias);
  if (before === version) return { rollout, told: `${alias} is version ${version} already` };
  const aliases: Record<string, string> = { ...rollout.aliases, [alias]: version };
  if (alias === STABLE && before !== undefined) aliases[PREVIOUS] = before;
  const from = before === undefined ? 'nothing' : `version ${before}`;
  return { rollout: { ...rollout, aliases }, told: `${alias} moved from ${from} to version ${version}` };
}

export function removeAlias(rollout: Rollout, alias: string): Move {
  const version = aliasIn(rollout, alias);
  const { [alias]: _gone, ...aliases } = rollout.aliases ?? {};
  if (version === undefined) throw new SluiceError('NOT_FOUND', `there is no alias "${alias}"`);
  const hasOthers = Object.keys(aliases).length > 0;
  return {
    rollout: tidy({ ...rollout, aliases: hasOthers ? aliases : undefined }),
    told: `${alias} is gone, it was version ${version}`,
  };
}

function splitText(split: readonly Arms[]): string {
  return split.map(({ to, weight }) => `${to} ${weight} %`).join(', ');
}

/** No arms: no split. */
export function setSplit(rollout: Rollout, split: readonly Arms[], salt?: string): Move {
  const told = split.length === 0 ? 'no split any more' : `split: ${splitText(split)}`;
  return { rollout: tidy({ ...rollout, split: [...split], salt: salt ?? rollout.salt }), told };
}

/** Traffic that a rule or a split sends elsewhere than to `version`. */
function leadsElsewhere(rollout: Rollout, version: string): boolean {
  const isElsewhere = ({ to }: { readonly to: string }): boolean => versionOf(rollout, to) !== version;
  const hasSplit = rollout.split?.some((arm) => arm.weight > 0 && isElsewhere(arm)) ?? false;
  return hasSplit || (rollout.rules?.some(isElsewhere) ?? false);
}

/** The canary becomes stable, and serves everything; what was stable becomes previous. What names the canary ends. */
export function promote(rollout: Rollout): Move {
  const canary = rollout.aliases?.[CANARY];
  if (canary === undefined) throw conflict('there is no alias "canary" that could be promoted');
  const moved = setAlias(rollout, STABLE, canary).rollout;
  const { [CANARY]: _promoted, ...aliases } = moved.aliases ?? {};
  const rules = rollout.rules?.filter(({ to }) => to !== CANARY);
  const shadow = rollout.shadow?.filter(({ version, of }) => version !== CANARY && of !== CANARY);
  const before = rollout.aliases?.[STABLE];
  return {
    rollout: tidy({
      ...moved,
      aliases,
      rules,
      shadow,
      default: undefined,
      split: undefined,
      plan: undefined,
    }),
    told: `version ${canary} is stable now and serves everything; ${before === undefined || before === canary ? 'there is no previous version' : `previous is version ${before}`}`,
  };
}

/** A version becomes stable, and serves everything; what was stable becomes previous, and a plan has reached its end. */
export function takeOver(rollout: Rollout, version: string): Move {
  return promote(setAlias(rollout, CANARY, version).rollout);
}

/**
 * While a split or rules send traffic elsewhere than to stable: that ends. Otherwise stable goes back to previous, and previous
 * becomes what was stable. A plan ends in both cases, so that it does not do again what was undone.
 */
export function rollBack(rollout: Rollout): Move {
  const stable = rollout.aliases?.[STABLE];
  const previous = rollout.aliases?.[PREVIOUS];
  if (stable !== undefined && leadsElsewhere(rollout, stable)) {
    const rules = rollout.rules?.filter(({ to }) => versionOf(rollout, to) === stable);
    return {
      rollout: tidy({ ...rollout, rules, default: undefined, split: undefined, plan: undefined }),
      told: `stable, version ${stable}, serves everything again`,
    };
  }
  if (stable === undefined || previous === undefined)
    throw conflict('there is nothing to go back to: no split, and no aliases "stable" and "previous"');
  const aliases = { ...rollout.aliases, [STABLE]: previous, [PREVIOUS]: stable };
  return {
    rollout: tidy({ ...rollout, aliases, default: undefined, split: undefined, plan: undefined }),
    told: `stable went back from version ${stable} to version ${previous}`,
  };
}
