/**
 * What a model's rollout.json says, and its check: first the form of each field, then what the fields say of one another. Pure.
 * Other parts of the server put fields of their own in (`shadow`, `plan`), with schemas of their own.
 */
import { z } from 'zod';
import { SluiceError } from '../core/errors.js';
import { didYouMean } from '../core/nearest.js';
import { problemText, shown } from '../core/problem.js';

export const FILE_NAME = 'rollout.json';
export const VERSION_TEXT = /^(?:0|[1-9]\d{0,17})$/;
export const ALIAS_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const MAX_ARMS = 8;
const MAX_RULES = 64;
/** Hundredths of a percent are the finest share, so that sums are exact. */
const STEPS_PER_PERCENT = 100;

const versionText = z
  .string('expected a version as a text, such as "2"')
  .regex(VERSION_TEXT, 'expected a version as digits without leading zeros, such as "2"');
const aliasName = z
  .string('expected the name of an alias')
  .regex(ALIAS_NAME, 'expected a name of letters, digits, ".", "_" and "-" that begins with a letter');
const choice = z
  .string('expected an alias or a version, such as "canary" or "2"')
  .refine((text) => VERSION_TEXT.test(text) || ALIAS_NAME.test(text), 'expected an alias or a version');

function percent(least: number) {
  const expected = `expected a percentage from ${least} to 100 with at most two decimals`;
  return z
    .number(expected)
    .min(least, expected)
    .max(100, expected)
    .refine((value) => Number.isInteger(Number((value * STEPS_PER_PERCENT).toFixed(6))), expected);
}

const arm = z.strictObject(
  { to: choice, weight: percent(0) },
  'expected an object such as {"to": "canary", "weight": 10}',
);

const rule = z
  .strictObject(
    {
      header: z
        .string('expected the name of a header')
        .transform((name) => name.toLowerCase())
        .refine((name) => HEADER_NAME.test(name), 'expected the name of a header'),
      equals: z.string('expected a text').max(256).optional(),
      prefix: z.string('expected a text').min(1, 'expected a text that is not empty').max(256).optional(),
      matches: z
        .string('expected a pattern')
        .min(1, 'expected a pattern in which * stands for any text and ? for one character')
        .max(256)
        .optional(),
      percent: percent(0).optional(),
      to: choice,
    },
    'expected an object such as {"header": "x-tenant", "equals": "acme", "to": "canary"}',
  )
  .refine(
    ({ equals, prefix, matches }) =>
      [equals, prefix, matches].filter((test) => test !== undefined).length === 1,
    'expected exactly one of equals, prefix and matches',
  );

const rolloutFields = {
  aliases: z.record(aliasName, versionText, 'expected an object of aliases').optional(),
  default: choice.optional(),
  split: z
    .array(arm, 'expected a list of {"to", "weight"}')
    .min(1, 'expected at least one arm; leave the field out for no split')
    .max(MAX_ARMS, `expected at most ${MAX_ARMS} arms`)
    .optional(),
  salt: z.string('expected a text').max(64, 'expected at most 64 characters').optional(),
  rules: z
    .array(rule, 'expected a list of rules')
    .max(MAX_RULES, `expected at most ${MAX_RULES} rules`)
    .optional(),
};

export type Arms = z.output<typeof arm>;
export type Rule = z.output<typeof rule>;

/** The part of a plan that routing checks: the versions that it names are held to the same rules as all others. */
export interface PlanNames {
  readonly candidate: string;
  readonly baseline: string;
}

/** The part of a shadow that routing checks: its versions are held to the same rules as all others, and kept loaded. */
export interface ShadowNames {
  readonly version: string;
  readonly of?: string | undefined;
}

/** Fields of other parts, each with its own schema; undefined ones do not exist. */
export interface RolloutParts {
  readonly shadow?: z.ZodType<readonly ShadowNames[]>;
  readonly plan?: z.ZodType<PlanNames>;
}

export type Rollout = z.output<z.ZodObject<typeof rolloutFields>> & {
  readonly shadow?: readonly ShadowNames[] | undefined;
  readonly plan?: PlanNames | undefined;
};

export const EMPTY_ROLLOUT: Rollout = {};

export const aliasBody = z.strictObject({ version: choice });
export const splitBody = z.strictObject({
  arms: rolloutFields.split.unwrap(),
  salt: rolloutFields.salt,
});

/** The versions that a model has, for the check of names. */
export interface KnownVersions {
  has(version: string): boolean;
  isReady(version: string): boolean;
  keys(): Iterable<string>;
}

export function rolloutSchema(parts: RolloutParts): z.ZodType<Rollout> {
  return z.strictObject({
    ...rolloutFields,
    ...(parts.shadow === undefined ? {} : { shadow: parts.shadow.optional() }),
    ...(parts.plan === undefined ? {} : { plan: parts.plan.optional() }),
  }) as unknown as z.ZodType<Rollout>;
}

function invalid(place: string, message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', `${place}: ${message}`);
}

/** `given` is parsed JSON; `what` names it in messages. Checks everything that needs no models. */
export function checkRollout(schema: z.ZodType<Rollout>, given: unknown, what: string): Rollout {
  const result = schema.safeParse(given);
  if (!result.success) throw new SluiceError('CONFIG_INVALID', problemText(result.error.issues, given, what));
  const rollout = result.data;
  const aliases = rollout.aliases ?? {};
  const checkName = (name: string | undefined, place: string): void => {
    if (name === undefined || VERSION_TEXT.test(name) || Object.hasOwn(aliases, name)) return;
    throw invalid(
      `${what}: ${place}`,
      `expected a version or one of the aliases, got ${shown(name)}${didYouMean(name, Object.keys(aliases))}`,
    );
  };
  checkName(rollout.default, 'default');
  rollout.rules?.forEach(({ to }, index) => {
    checkName(to, `rules[${index}].to`);
  });
  rollout.split?.forEach(({ to }, index) => {
    checkName(to, `split[${index}].to`);
    const twin = rollout.split?.findIndex((other) => other.to === to) ?? index;
    if (twin !== index)
      throw invalid(`${what}: split[${index}].to`, `${shown(to)} is already split[${twin}]`);
  });
  rollout.shadow?.forEach(({ version, of }, index) => {
    checkName(version, `shadow[${index}].version`);
    checkName(of, `shadow[${index}].of`);
  });
  checkName(rollout.plan?.candidate, 'plan.candidate');
  checkName(rollout.plan?.baseline, 'plan.baseline');
  checkSum(rollout, what);
  return rollout;
}

function checkSum({ split }: Rollout, what: string): void {
  if (split === undefined) return;
  const steps = split.reduce((sum, { weight }) => sum + Math.round(weight * STEPS_PER_PERCENT), 0);
  if (steps === 100 * STEPS_PER_PERCENT) return;
  throw invalid(`${what}: split`, `expected weights that add up to 100, got ${steps / STEPS_PER_PERCENT}`);
}

/** Every version that a rollout names, by the place of its name. */
export function namedVersions(rollout: Rollout): Map<string, string> {
  const named = new Map<string, string>();
  const add = (name: string | undefined, place: string): void => {
    if (name !== undefined && VERSION_TEXT.test(name)) named.set(place, name);
  };
  for (const [alias, version] of Object.entries(rollout.aliases ?? {})) add(version, `aliases.${alias}`);
  add(rollout.default, 'default');
  rollout.split?.forEach(({ to }, index) => {
    add(to, `split[${index}].to`);
  });
  rollout.rules?.forEach(({ to }, index) => {
    add(to, `rules[${index}].to`);
  });
  rollout.shadow?.forEach(({ version, of }, index) => {
    add(version, `shadow[${index}].version`);
    add(of, `shadow[${index}].of`);
  });
  add(rollout.plan?.candidate, 'plan.candidate');
  add(rollout.plan?.baseline, 'plan.baseline');
  return named;
}

/** What is not READY any more may become the one before: that is often why one goes back. */
const MAY_BE_AWAY = 'aliases.previous';

/** Throws where a version that is named is not there or is not READY. What stood in `before` may stay as it is. */
export function checkVersions(
  rollout: Rollout,
  before: Rollout,
  modelName: string,
  known: KnownVersions,
  what: string,
): void {
  const kept = namedVersions(before);
  for (const [place, version] of namedVersions(rollout)) {
    if (kept.get(place) === version || place === MAY_BE_AWAY) continue;
    if (!known.has(version)) {
      const versions = [...known.keys()].join(', ') || 'none';
      throw invalid(
        `${what}: ${place}`,
        `model "${modelName}" has no version ${version}, it has ${versions}`,
      );
    }
    if (!known.isReady(version))
      throw new SluiceError(
        'CONFLICT',
        `${what}: ${place}: version ${version} of model "${modelName}" is not READY`,
      );
  }
}

/** The version that an alias or version names; undefined for an alias that is not there. */
export function versionOf(rollout: Rollout, name: string): string | undefined {
  if (VERSION_TEXT.test(name)) return name;
  return Object.hasOwn(rollout.aliases ?? {}, name) ? rollout.aliases?.[name] : undefined;
}
