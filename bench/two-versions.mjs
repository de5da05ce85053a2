/** What the scripts about rollouts share: `tiny` in two versions that are alike, and what became of a shadow's samples. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODELS } from './paths.mjs';

/** `rollout` names both: what a rollout names is loaded. */
export function makeTwoVersions(repository, rollout) {
  rmSync(repository, { recursive: true, force: true });
  const model = join(repository, 'tiny');
  mkdirSync(model, { recursive: true });
  for (const version of ['1', '2'])
    cpSync(join(MODELS, 'tiny', '1'), join(model, version), { recursive: true });
  writeFileSync(join(model, 'rollout.json'), JSON.stringify(rollout));
}

const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);

export const NO_FATE = { sampled: 0, compared: 0, dropped: 0, failed: 0, waiting: 0, apart: 0 };

/** `total` with the samples of one more shadow. */
export function withFate(total, { sampled, compared, dropped, skipped, waiting, apart }) {
  const fate = { sampled, compared, dropped: sum(dropped), failed: sum(skipped), waiting, apart };
  return Object.fromEntries(Object.entries(total).map(([key, count]) => [key, count + fate[key]]));
}
