/**
 * Owns the loaded models: loads every version through the engine, one model after another, and publishes what is there
 * as an immutable snapshot after each change of a state. Lives on the loop; the loading itself happens in the engine.
 * A version that cannot be loaded is REJECTED with its reason; the others serve.
 */
import { SluiceError } from '../core/errors.js';
import type { ModelSignature, ServePlan, StartReport, VersionState } from '../core/model.js';
import { EMPTY_SNAPSHOT, type ModelEntry, type Snapshot, type VersionEntry } from '../core/snapshot.js';
import { completeConfig } from './config/complete.js';
import type { ModelConfig } from './config/model-config.js';
import { makeMetadata, makeServePlan, providersOf } from './config/serve-plan.js';
import {
  findModelFile,
  findModels,
  readConfigFile,
  type FoundModel,
  type FoundVersion,
} from './repository.js';
import { chooseVersions } from './version-policy.js';
import { moveState } from './version-state.js';

/** The part of the engine that the store needs. */
export interface ModelLoader {
  open(options: {
    readonly path: string;
    readonly directory: string;
    readonly intraOpThreads?: number;
    readonly interOpThreads?: number;
    readonly providers?: readonly string[];
  }): Promise<ModelSignature & { readonly handle: number }>;
  start(handle: number, plan: ServePlan): Promise<StartReport>;
  close(handle: number): Promise<void>;
}

export interface StoreLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

function makeEntry(name: string, versions: Map<string, VersionEntry>, reason: string): ModelEntry {
  const counted = [...versions.values()].filter((version) => version.state !== 'UNLOADED');
  return {
    name,
    platform: 'onnxruntime_onnx',
    versions,
    defaultVersion: counted.filter((version) => version.state === 'READY').at(-1),
    reason,
    isReady: reason === '' && counted.length > 0 && counted.every((version) => version.state === 'READY'),
  };
}

/** What a client may read; anything that is not ours goes to the log only. */
function clientReason(error: unknown): string {
  return error instanceof SluiceError ? error.message : 'internal error, see the log of the server';
}

/** For the log: what stands behind a reason that does not tell everything. */
function hiddenCause(error: unknown): { err?: unknown } {
  const cause = error instanceof SluiceError ? error.cause : error;
  return cause === undefined ? {} : { err: cause };
}

export class ModelStore {
  private current: Snapshot = EMPTY_SNAPSHOT;
  private hasLoaded = false;

  constructor(
    private readonly loader: ModelLoader,
    private readonly log: StoreLog,
  ) {}

  get snapshot(): Snapshot {
    return this.current;
  }

  /** Loads everything at `path`. Throws only where there is no repository at all. */
  async load(path: string): Promise<void> {
    const { models, warnings } = await findModels(path);
    for (const warning of warnings) this.log.warn({}, warning);
    const named = models.map(
      (model) => [model.name, makeEntry(model.name, new Map(), model.reason)] as const,
    );
    this.current = { models: new Map(named) };
    for (const model of models) await this.loadModel(model);
    this.hasLoaded = true;
  }

  /** Strict: at least one model, and every model ready. Otherwise: the loading is over, whatever came of it. */
  isReady(isStrict: boolean): boolean {
    const models = [...this.current.models.values()];
    return this.hasLoaded && (!isStrict || (models.length > 0 && models.every((model) => model.isReady)));
  }

  /** Drains and closes every version. The engine answers what it had accepted. */
  async close(): Promise<void> {
    const versions = [...this.current.models.values()].flatMap((model) => [...model.versions.values()]);
    const ready = versions.filter((version) => version.state === 'READY');
    for (const version of ready) this.update(version, 'DRAINING', {});
    await Promise.all(
      ready.map(async (version) => {
        await this.loader.close(version.handle);
        this.update(version, 'UNLOADED', { handle: -1 });
      }),
    );
  }

  private async loadModel(model: FoundModel): Promise<void> {
    if (model.reason !== '') return this.refuseModel(model, new SluiceError('CONFIG_INVALID', model.reason));
    let config: ModelConfig;
    let versions: readonly FoundVersion[];
    try {
      const read = await readConfigFile(model);
      for (const warning of read.warnings) this.log.warn({ model: model.name }, warning);
      config = read.config;
      const chosen = chooseVersions(config.version_policy, model.versions);
      for (const version of chosen.missing)
        this.log.error({ model: model.name, version }, 'version_policy names a version that is not there');
      versions = chosen.versions;
    } catch (error) {
      return this.refuseModel(model, error);
    }
    for (const { version } of versions) this.publish(model.name, newEntry(model.name, version));
    for (const version of versions) await this.loadVersion(model.name, version, config);
  }

  private refuseModel(model: FoundModel, error: unknown): void {
    const reason = clientReason(error);
    this.log.error({ model: model.name, ...hiddenCause(error) }, `model not served: ${reason}`);
    this.replaceModel(makeEntry(model.name, new Map(), reason));
  }

  private async loadVersion(modelName: string, found: FoundVersion, config: ModelConfig): Promise<void> {
    const { version } = found;
    let handle = -1;
    try {
      const file = await findModelFile(found, config.default_model_filename || 'model.onnx');
      const opened = await this.loader.open({
        ...file,
        ...(config.intraOpThreads > 0 ? { intraOpThreads: config.intraOpThreads } : {}),
        ...(config.interOpThreads > 0 ? { interOpThreads: config.interOpThreads } : {}),
        providers: providersOf(config),
      });
      handle = opened.handle;
      const plan = makeServePlan(completeConfig(config, opened, modelName), opened, version);
      this.move(modelName, version, 'WARMING', { plan, metadata: makeMetadata(plan) });
      const report = await this.loader.start(handle, plan);
      this.move(modelName, version, 'VERIFYING', { report });
      this.move(modelName, version, 'READY', { handle });
      this.log.info(
        { model: modelName, version, execution: report.execution, warmupMs: report.warmupMs },
        'model version is ready',
      );
    } catch (error) {
      const reason = clientReason(error);
      this.log.error(
        { model: modelName, version, ...hiddenCause(error) },
        `model version not served: ${reason}`,
      );
      this.move(modelName, version, 'REJECTED', { reason });
      if (handle !== -1) await this.closeQuietly(modelName, version, handle);
    }
  }

  private async closeQuietly(modelName: string, version: string, handle: number): Promise<void> {
    try {
      await this.loader.close(handle);
    } catch (error) {
      this.log.error({ model: modelName, version, err: error }, 'a rejected model version did not close');
    }
  }

  private move(modelName: string, version: string, to: VersionState, known: Partial<VersionEntry>): void {
    const entry = this.current.models.get(modelName)?.versions.get(version);
    if (entry === undefined)
      throw new Error(`model "${modelName}" has no version ${version} that could become ${to}`);
    this.update(entry, to, known);
  }

  private update(entry: VersionEntry, to: VersionState, known: Partial<VersionEntry>): void {
    const now = this.current.models.get(entry.modelName)?.versions.get(entry.version) ?? entry;
    const state = moveState(`model "${entry.modelName}" version ${entry.version}`, now.state, to);
    this.publish(entry.modelName, { ...now, ...known, state });
  }

  private publish(modelName: string, version: VersionEntry): void {
    const versions = new Map(this.current.models.get(modelName)?.versions);
    versions.set(version.version, version);
    this.replaceModel(makeEntry(modelName, versions, ''));
  }

  private replaceModel(model: ModelEntry): void {
    const models = new Map(this.current.models);
    models.set(model.name, model);
    this.current = { models };
  }
}

function newEntry(modelName: string, version: string): VersionEntry {
  const unknown = { plan: undefined, metadata: undefined, report: undefined };
  return { modelName, version, state: 'LOADING', reason: '', handle: -1, ...unknown };
}
