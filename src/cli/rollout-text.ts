/** Rollouts as people read them. Pure. */
import type { Rollout } from '../routing/rollout.js';

export interface RolloutAnswer {
  readonly model: string;
  readonly rollout: Rollout;
  readonly etag: string;
  readonly problem: string;
  readonly told?: string;
}

/** Of a plan that is under way. */
export interface PlanAnswer {
  readonly state: string;
  readonly step: number;
  readonly steps: number;
  readonly reason: string;
}

export const ROLLOUT_HEAD = ['MODEL', 'WHAT', 'GOES TO'] as const;

function withVersion(rollout: Rollout, name: string): string {
  const version = rollout.aliases?.[name];
  return version === undefined ? `version ${name}` : `${name} (version ${version})`;
}

/** One row for each thing that a rollout says, in the order in which routing asks. */
export function rolloutRows({ model, rollout, problem }: RolloutAnswer): string[][] {
  const rules = (rollout.rules ?? []).map(({ header, equals, prefix, matches, percent, to }) => {
    const test =
      equals !== undefined
        ? `equals ${equals}`
        : prefix !== undefined
          ? `begins with ${prefix}`
          : `matches ${matches}`;
    const share = percent === undefined ? '' : `, ${percent} %`;
    return [model, `${header} ${test}${share}`, withVersion(rollout, to)];
  });
  const split = (rollout.split ?? []).map(({ to, weight }) => [
    model,
    `${weight} % of the rest`,
    withVersion(rollout, to),
  ]);
  const rest = rollout.default ?? (rollout.aliases?.['stable'] === undefined ? undefined : 'stable');
  const other =
    split.length > 0
      ? []
      : [
          [
            model,
            rules.length > 0 ? 'the rest' : 'everything',
            rest === undefined ? 'the highest version that is READY' : withVersion(rollout, rest),
          ],
        ];
  const aliases = Object.entries(rollout.aliases ?? {}).map(([alias, version]) => [
    model,
    `/versions/${alias}`,
    `version ${version}`,
  ]);
  const broken = problem === '' ? [] : [[model, 'NOT IN FORCE', problem]];
  return [...rules, ...split, ...other, ...aliases, ...broken];
}

/** The names of a version, and its part of the requests that neither a rule takes nor a version is named in. */
export function versionFacts(
  rollout: Rollout,
  version: string,
  defaultVersion: string | undefined,
): { aliases: string; share: string } {
  const versionOf = (name: string): string | undefined => rollout.aliases?.[name] ?? name;
  const aliases = Object.entries(rollout.aliases ?? {}).flatMap(([alias, other]) =>
    other === version ? [alias] : [],
  );
  const rest = rollout.default ?? rollout.aliases?.['stable'] ?? defaultVersion;
  const weight =
    rollout.split === undefined
      ? rest !== undefined && versionOf(rest) === version
        ? 100
        : 0
      : rollout.split.reduce((sum, arm) => sum + (versionOf(arm.to) === version ? arm.weight : 0), 0);
  return { aliases: aliases.join(', '), share: `${weight} %` };
}

export function planRow(model: string, { state, step, steps, reason }: PlanAnswer): string[] {
  return [model, `plan ${state}, step ${step} of ${steps}`, reason];
}
