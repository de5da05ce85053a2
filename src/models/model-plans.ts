/**
 * Which versions of a model are to serve, and with which configuration: as its folder, the policy, pins and rollouts say it.
 */
import { SluiceError } from '../core/errors.js';
import type { ReadConfig } from './config/model-config.js';
import type { StoreLog } from './ports.js';
import { findModel, readConfigFile, type FoundModel, type FoundVersion } from './repository.js';
import { chooseVersions } from './version-policy.js';

export interface ModelPlan {
  readonly read: ReadConfig;
  /** Chosen by the policy, kept for traffic, or pinned. */
  readonly wanted: readonly FoundVersion[];
}

export async function findOrRefuse(repository: string, modelName: string): Promise<FoundModel> {
  const found = await findModel(repository, modelName);
  if (found === undefined)
    throw new SluiceError('MODEL_NOT_FOUND', `model "${modelName}" is not in the repository`);
  return found;
}

export class ModelPlans {
  constructor(
    private readonly log: StoreLog,
    /** Versions that stay loaded whatever the policy says, because traffic may go to them. */
    private readonly keptVersions: (modelName: string) => ReadonlySet<string>,
    private readonly pinnedVersion: (modelName: string) => string | undefined,
  ) {}

  async readConfig(found: FoundModel): Promise<ReadConfig> {
    if (found.reason !== '') throw new SluiceError('CONFIG_INVALID', found.reason);
    const read = await readConfigFile(found);
    for (const warning of read.warnings) this.log.warn({ model: found.name }, warning);
    return read;
  }

  /** `given` takes the place of the config file. */
  async planFor(found: FoundModel, given?: ReadConfig): Promise<ModelPlan> {
    const read = given ?? (await this.readConfig(found));
    const chosen = chooseVersions(read.config.version_policy, found.versions);
    for (const version of chosen.missing)
      this.log.error({ model: found.name, version }, 'version_policy names a version that is not there');
    const pinned = this.pinnedVersion(found.name);
    const kept = this.keptVersions(found.name);
    const wanted = found.versions.filter(
      (version) =>
        chosen.versions.includes(version) || kept.has(version.version) || version.version === pinned,
    );
    return { read, wanted };
  }
}
