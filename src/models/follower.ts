/**
 * Follows the repository on disk, one look after another: what is new and whole is loaded, what is gone leaves, what was
 * edited is told. When to look is the store's to say. Lives on the loop.
 */
import type { Board } from './board.js';
import type { CommandOrder } from './command-order.js';
import { configDigest, type ModelConfig, type ReadConfig } from './config/model-config.js';
import type { FolderWatch } from './folder-watch.js';
import type { ManagedModel } from './managed-model.js';
import type { ModelPlan } from './model-plans.js';
import { findModels, type FoundModel, type FoundVersion } from './repository.js';
import { lookAt, type FolderLook } from './version-folder.js';

export interface FollowedParts {
  readonly board: Board;
  readonly order: CommandOrder;
  readonly managed: Map<string, ManagedModel>;
  modelOf(modelName: string): ManagedModel;
  planFor(found: FoundModel): Promise<ModelPlan>;
}

export interface Look {
  /** False where something is there that may not be whole yet. */
  readonly isSettled: boolean;
  /** Resolves when the loads that it began are over. */
  readonly ended: Promise<void>;
}

/** What is to be done about one model. */
interface Step {
  readonly read: ReadConfig;
  readonly taken: readonly FoundVersion[];
  readonly isSettled: boolean;
  readonly isAll: boolean;
}

export class Follower {
  /** Models that are gone and may still have requests inside. */
  private readonly leaving = new Set<string>();

  constructor(
    private readonly parts: FollowedParts,
    private readonly watch: FolderWatch,
  ) {}

  /** One look at the repository: what is new begins to load, what is gone leaves, what was edited is told. */
  async follow(path: string): Promise<Look> {
    const { models } = await findModels(path);
    const names = new Set(models.map((model) => model.name));
    const looks = models.map((model) => this.followFound(model));
    const settled = await Promise.all(looks.map(({ isSettled }) => isSettled));
    const { managed, order } = this.parts;
    const gone = [...managed.keys()].filter((name) => !names.has(name) && !order.isBusy(name));
    const left = await Promise.all(gone.map((name) => order.run(name, () => this.followGone(name))));
    const ended = Promise.all(looks.map((look) => look.ended)).then(() => undefined);
    return { isSettled: settled.every(Boolean) && left.every(Boolean), ended };
  }

  /** `isSettled` is false where something is there that may not be whole yet. */
  private followFound(found: FoundModel): {
    readonly isSettled: Promise<boolean>;
    readonly ended: Promise<void>;
  } {
    this.leaving.delete(found.name);
    if (this.parts.order.isBusy(found.name))
      return { isSettled: Promise.resolve(true), ended: Promise.resolve() };
    let tell: (isSettled: boolean) => void = () => undefined;
    const isSettled = new Promise<boolean>((resolve) => (tell = resolve));
    const ended = this.parts.order.run(found.name, async () => {
      try {
        const step = await this.lookAtModel(found);
        // A load may take minutes: the other models are followed on.
        tell(step.isSettled);
        await this.take(found, step);
      } catch (error) {
        // A config file that is half written looks like a broken one.
        const isBroken = this.watch.isSettled(found.name, { fingerprint: String(error), cameWhole: false });
        // Before all that may throw: whoever looks waits for it.
        tell(isBroken);
        if (isBroken || this.parts.managed.has(found.name)) this.parts.modelOf(found.name).refuse(error);
      }
    });
    return { isSettled, ended };
  }

  private async lookAtModel(found: FoundModel): Promise<Step> {
    const { read, wanted } = await this.parts.planFor(found);
    const known = this.parts.managed.get(found.name);
    const taken: FoundVersion[] = [];
    let isSettled = !(known?.readyVersions ?? []).some((version) => this.isMissing(found, version));
    for (const version of wanted) {
      const load = known?.loadOf(version.version);
      if (load?.state === 'READY') {
        taken.push(version);
        continue;
      }
      const look = await lookAt(version.place);
      const isKnown =
        load?.state === 'REJECTED' && !this.watch.isNew(version.place, triedAs(look, read.config));
      if (!this.watch.isSettled(version.place, look)) isSettled = false;
      else if (!isKnown) taken.push(version);
    }
    return { read, taken, isSettled, isAll: isSettled && taken.length === wanted.length };
  }

  private async take(found: FoundModel, { read, taken, isAll }: Step): Promise<void> {
    const model = this.parts.modelOf(found.name);
    if (taken.length > 0) await this.applyNoted(model, taken, read, isAll);
    model.forget(new Set(found.versions.map(({ version }) => version)));
  }

  /** A folder that changes places by two renames is away for a moment. */
  private isMissing(found: FoundModel, version: string): boolean {
    const key = `${found.name}/${version} gone`;
    if (found.versions.some((other) => other.version === version)) {
      this.watch.forget(key);
      return false;
    }
    return !this.watch.isSettled(key, { fingerprint: 'gone', cameWhole: false });
  }

  /** Remembers what is tried, so that the same is not tried again and again. */
  async applyNoted(
    model: ManagedModel,
    wanted: readonly FoundVersion[],
    read: ReadConfig,
    isAll: boolean,
  ): Promise<void> {
    for (const { place } of wanted) {
      const look = await lookAt(place).catch(() => undefined);
      if (look !== undefined) this.watch.note(place, triedAs(look, read.config));
    }
    await model.apply(wanted, read, { isAll });
  }

  private async followGone(modelName: string): Promise<boolean> {
    const model = this.parts.managed.get(modelName);
    if (model === undefined || this.leaving.has(modelName)) return true;
    const key = `${modelName} gone`;
    if (!this.watch.isSettled(key, { fingerprint: 'gone', cameWhole: false })) return false;
    this.watch.forget(key);
    this.leaving.add(modelName);
    model.retire(model.readyVersions);
    // Not waited for: the other models are followed on.
    void model.settled().then(() => this.parts.order.run(modelName, () => this.forgetGone(modelName, model)));
    return true;
  }

  /** It may have come back meanwhile, and gone once more. */
  private async forgetGone(modelName: string, model: ManagedModel): Promise<void> {
    if (!this.leaving.has(modelName) || !model.forget(new Set())) return;
    this.leaving.delete(modelName);
    this.parts.managed.delete(modelName);
    this.parts.board.remove(modelName);
  }
}

/** What a load is tried with: the same again would end the same. */
function triedAs(look: FolderLook, config: ModelConfig): string {
  return `${look.fingerprint} ${look.goldenFingerprint} ${configDigest(config)}`;
}
