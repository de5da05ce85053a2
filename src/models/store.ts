/**
 * Owns the models of one repository: loads them at the start, and changes the set afterwards as the control mode allows:
 * `none` (never), `poll` (follows the repository), `explicit` (on command). Lives on the loop; the loading itself happens
 * in the engine. Commands on one model are ordered; what serves is never touched before its successor is READY.
 */
import { rm } from 'node:fs/promises';
import { SluiceError } from '../core/errors.js';
import type { Snapshot } from '../core/snapshot.js';
import { Board } from './board.js';
import { CommandOrder, LoadSlots } from './command-order.js';
import type { ReadConfig } from './config/model-config.js';
import type { FirstRun } from './first-run.js';
import { FolderWatch } from './folder-watch.js';
import { Follower, type Look } from './follower.js';
import { ManagedModel, type ModelParts, type VersionOutcome } from './managed-model.js';
import { MemoryAdmission } from './memory-admission.js';
import { readOverride, stageFiles, type LoadOverride } from './override.js';
import type { ModelLoader, StoreLog } from './ports.js';
import { findOrRefuse, ModelPlans } from './model-plans.js';
import { findModels, type FoundModel } from './repository.js';
import { repositoryIndex, type IndexRow } from './repository-index.js';
import { FIRST_RUN_LIMIT } from './time-limit.js';

export type { ModelLoader, StoreLog } from './ports.js';

export const CONTROL_MODES = ['none', 'poll', 'explicit'] as const;
export type ControlMode = (typeof CONTROL_MODES)[number];

export interface StoreOptions {
  readonly control: ControlMode;
  /** What `explicit` loads at the start; `*` alone is everything. */
  readonly loadModels: readonly string[];
  readonly pollMs: number;
  /** How long a folder must look the same before it counts as whole. */
  readonly settleMs: number;
  readonly parallelLoads: number;
  readonly holdMs: number;
  readonly needsManifest: boolean;
  readonly nextPrivatePath: () => string;
  /** Versions that stay loaded whatever the policy says, because traffic may go to them. */
  readonly keptVersions: (modelName: string) => ReadonlySet<string>;
  readonly memory: MemoryAdmission;
  readonly firstRun?: FirstRun;
  /** Of warm-up, its samples and golden answers of one version together. */
  readonly firstRunMs: number;
  readonly nowMs: () => number;
}

const DEFAULTS: StoreOptions = {
  control: 'none',
  loadModels: [],
  pollMs: 15_000,
  settleMs: 2_000,
  parallelLoads: 2,
  holdMs: 30_000,
  needsManifest: false,
  nextPrivatePath: () => '',
  keptVersions: () => new Set(),
  memory: new MemoryAdmission(undefined),
  firstRunMs: FIRST_RUN_LIMIT.ms,
  nowMs: Date.now,
};

export class ModelStore {
  readonly board: Board;
  private readonly order = new CommandOrder();
  private readonly managed = new Map<string, ManagedModel>();
  private readonly options: StoreOptions;
  private readonly parts: ModelParts;
  private readonly plans: ModelPlans;
  private readonly follower: Follower;
  private path = '';
  private overrides = 0;
  private hasLoaded = false;
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    loader: ModelLoader,
    private readonly log: StoreLog,
    options: Partial<StoreOptions> = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
    const { nowMs, parallelLoads, holdMs, settleMs, ...others } = this.options;
    const { needsManifest, nextPrivatePath, memory, firstRun, firstRunMs } = others;
    this.board = new Board(nowMs);
    this.parts = {
      board: this.board,
      slots: new LoadSlots(parallelLoads),
      tools: {
        loader,
        nextPrivatePath,
        needsManifest,
        memory,
        firstRunLimit: { ...FIRST_RUN_LIMIT, ms: firstRunMs },
        ...(firstRun === undefined ? {} : { firstRun }),
      },
      log,
      holdMs,
    };
    this.plans = new ModelPlans(
      log,
      this.options.keptVersions,
      (name) => this.managed.get(name)?.pinnedVersion,
    );
    this.follower = new Follower(
      {
        board: this.board,
        order: this.order,
        managed: this.managed,
        modelOf: (name) => this.modelOf(name),
        planFor: (found) => this.plans.planFor(found),
      },
      new FolderWatch(settleMs, nowMs),
    );
  }

  get snapshot(): Snapshot {
    return this.board.snapshot;
  }

  get control(): ControlMode {
    return this.options.control;
  }

  /** Loads what the control mode says from `path`. Throws only where there is no repository at all. */
  async load(path: string): Promise<void> {
    this.path = path;
    const { models, warnings } = await findModels(path);
    for (const warning of warnings) this.log.warn({}, warning);
    const chosen = this.chosenAtStart(models);
    for (const model of chosen)
      this.managed.set(model.name, new ManagedModel(model.name, this.parts, model.reason));
    this.board.publishAll([...this.managed.values()].map((model) => model.picture()));
    await Promise.all(chosen.map((model) => this.order.run(model.name, () => this.loadAtStart(model))));
    this.hasLoaded = true;
    if (this.options.control === 'poll') this.poll(this.options.pollMs);
  }

  /** Strict: at least one model, and every model ready. Otherwise: the loading is over, whatever came of it. */
  isReady(isStrict: boolean): boolean {
    const models = [...this.snapshot.models.values()];
    return this.hasLoaded && (!isStrict || (models.length > 0 && models.every((model) => model.isReady)));
  }

  /** Drains and closes every version. The engine answers what it had accepted. */
  async close(): Promise<void> {
    this.stopFollowing();
    const models = [...this.managed.values()];
    for (const model of models) model.retire(model.readyVersions);
    await Promise.all(models.map((model) => model.settled()));
  }

  /** No further look at the repository. */
  stopFollowing(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  /**
   * Loads the versions that the policy selects, as they are on disk now; what is unchanged stays. An override is loaded in
   * any case, and the next load without one goes back to the disk.
   */
  loadModel(modelName: string, override: LoadOverride = {}): Promise<VersionOutcome[]> {
    return this.command(modelName, async () => {
      const { configText, files } = override;
      const given = configText === undefined ? undefined : readOverride(configText);
      if (files === undefined) return this.loadFound(await findOrRefuse(this.path, modelName), given);
      if (given === undefined)
        throw new SluiceError('BAD_REQUEST', 'expected parameter "config" together with "file:" parameters');
      const folder = this.options.nextPrivatePath();
      try {
        return await this.loadFound(await stageFiles(modelName, files, folder), given);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }

  /** Answers when no new request reaches the model; what it has accepted is still answered. */
  unloadModel(modelName: string): Promise<void> {
    return this.command(modelName, async () => {
      const model = this.managed.get(modelName);
      if (model === undefined) return;
      model.pin(undefined);
      model.retire(model.readyVersions);
    });
  }

  /** Loads one version beside those that serve. */
  loadVersion(modelName: string, version: string): Promise<VersionOutcome> {
    return this.command(modelName, () => this.loadOne(modelName, version));
  }

  /** Lets one version go; answers as `unloadModel` does. */
  unloadVersion(modelName: string, version: string): Promise<void> {
    return this.command(modelName, async () => {
      const model = this.managed.get(modelName);
      if (model?.loadOf(version)?.state !== 'READY') return;
      if (model.pinnedVersion === version) model.pin(undefined);
      model.retire([version]);
    });
  }

  /** Requests that name no version go to this one from now on; it is loaded first where it is not. undefined: the highest again. */
  pinVersion(modelName: string, version: string | undefined): Promise<void> {
    return this.order.run(modelName, async () => {
      const model = this.managed.get(modelName);
      if (version === undefined) {
        model?.pin(undefined);
        return;
      }
      if (model?.loadOf(version)?.state !== 'READY') {
        this.checkControl();
        const outcome = await this.loadOne(modelName, version);
        if (outcome.result === 'rejected')
          throw new SluiceError('MODEL_INVALID', `version ${version}: ${outcome.reason}`);
      }
      this.modelOf(modelName).pin(version);
    });
  }

  /** Every version that is known, and the models on disk that were never loaded. */
  async index(isReadyOnly: boolean): Promise<IndexRow[]> {
    const { models } = isReadyOnly ? { models: [] } : await findModels(this.path);
    const onDisk = models.map((model) => model.name);
    return repositoryIndex(this.snapshot, onDisk, isReadyOnly);
  }

  /** One look at the repository: what is new begins to load, what is gone leaves, what was edited is told. */
  follow(): Promise<Look> {
    return this.follower.follow(this.path);
  }

  private async loadFound(found: FoundModel, given: ReadConfig | undefined): Promise<VersionOutcome[]> {
    const { read, wanted } = await this.plans.planFor(found, given);
    if (wanted.length === 0)
      throw new SluiceError('CONFIG_INVALID', `model "${found.name}": no version is selected`);
    const model = this.modelOf(found.name);
    if (given !== undefined) this.overrides += 1;
    const origin = given === undefined ? {} : { origin: `override ${this.overrides}` };
    const outcomes = await model.apply(wanted, read, origin);
    model.forget(new Set(found.versions.map(({ version }) => version)));
    return outcomes;
  }

  private command<T>(modelName: string, work: () => Promise<T>): Promise<T> {
    this.checkControl();
    return this.order.run(modelName, work);
  }

  private checkControl(): void {
    if (this.options.control === 'explicit') return;
    throw new SluiceError(
      'CONTROL_MODE',
      `models are loaded and unloaded on command only with model-control explicit, it is ${this.options.control}`,
    );
  }

  private chosenAtStart(models: readonly FoundModel[]): readonly FoundModel[] {
    const { control, loadModels } = this.options;
    if (control !== 'explicit' || (loadModels.length === 1 && loadModels[0] === '*')) return models;
    const byName = new Map(models.map((model) => [model.name, model]));
    return [...new Set(loadModels)].sort().map((name) => byName.get(name) ?? absentModel(name));
  }

  private async loadAtStart(found: FoundModel): Promise<void> {
    const model = this.modelOf(found.name);
    try {
      const { read, wanted } = await this.plans.planFor(found);
      await this.follower.applyNoted(model, wanted, read, true);
    } catch (error) {
      model.refuse(error);
    }
  }

  private async loadOne(modelName: string, version: string): Promise<VersionOutcome> {
    const found = await findOrRefuse(this.path, modelName);
    const place = found.versions.find((other) => other.version === version);
    if (place === undefined)
      throw new SluiceError('VERSION_NOT_FOUND', `model "${modelName}" has no version ${version} on disk`);
    const read = await this.plans.readConfig(found);
    const [outcome] = await this.modelOf(modelName).apply([place], read, { isAll: false });
    if (outcome === undefined) throw new Error('a version was asked for and nothing became of it');
    return outcome;
  }

  private modelOf(modelName: string): ManagedModel {
    let model = this.managed.get(modelName);
    if (model === undefined) {
      model = new ManagedModel(modelName, this.parts);
      this.managed.set(modelName, model);
    }
    return model;
  }

  private poll(afterMs: number): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.pollOnce(), afterMs);
    this.timer.unref();
  }

  private async pollOnce(): Promise<void> {
    let nextMs = this.options.pollMs;
    try {
      const { isSettled, ended } = await this.follow();
      ended.catch((error: unknown) => this.log.error({ err: error }, 'following a model failed'));
      // What is being copied is looked at again soon.
      if (!isSettled) nextMs = Math.min(nextMs, this.options.settleMs);
    } catch (error) {
      this.log.error({ err: error }, 'the model repository cannot be read; what serves goes on');
    }
    this.poll(nextMs);
  }
}

function absentModel(name: string): FoundModel {
  const reason = 'it is not in the repository';
  return { name, directory: undefined, configFiles: [], versions: [], reason };
}
