/** Which of the versions on disk are to be served. Pure. */
import { SluiceError } from '../core/errors.js';
import type { ModelConfig } from './config/model-config.js';
import type { FoundVersion } from './repository.js';

export interface ChosenVersions {
  /** Ascending, at least one. */
  readonly versions: readonly FoundVersion[];
  /** Asked for by the policy and not on disk. */
  readonly missing: readonly string[];
}

/** `found` is ascending. Without a policy the highest version is served. */
export function chooseVersions(
  policy: ModelConfig['version_policy'],
  found: readonly FoundVersion[],
): ChosenVersions {
  if (policy?.all !== undefined) return { versions: found, missing: [] };
  if (policy?.specific === undefined)
    return { versions: found.slice(-(policy?.latest?.num_versions ?? 1)), missing: [] };
  const wanted = new Set(policy.specific.versions);
  const versions = found.filter((version) => wanted.has(version.version));
  const missing = [...wanted].filter((version) => !found.some((other) => other.version === version));
  if (versions.length === 0) {
    throw new SluiceError(
      'CONFIG_INVALID',
      `version_policy.specific: expected a version that is there, got ${[...wanted].join(', ')}`,
    );
  }
  return { versions, missing };
}
