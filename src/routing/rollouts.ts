/**
 * The rollouts of all models: which there are, what of them is in force, and when their files are looked at. Lives on the loop.
 */
import type { Snapshot } from '../core/snapshot.js';
import { ModelRollout, NO_STATE, type Change, type RolloutLog, type RolloutState } from './model-rollout.js';
import { rolloutSchema, type RolloutParts } from './rollout.js';
import { readAudit } from './rollout-file.js';
import type { RolloutInForce, RolloutSource } from './route-table.js';

export type { AuditEntry, Change, RolloutLog, RolloutState } from './model-rollout.js';

export interface RolloutsOptions {
  readonly models: { readonly snapshot: Snapshot };
  /** undefined: the model has no folder of its own, so it can have no rollout. */
  readonly folderOf: (modelName: string) => Promise<string | undefined>;
  readonly parts: RolloutParts;
  readonly log: RolloutLog;
  readonly nowMs?: () => number;
}

export class Rollouts implements RolloutSource {
  inForce: ReadonlyMap<string, RolloutInForce> = new Map();
  private readonly byModel = new Map<string, ModelRollout>();
  readonly schema: ReturnType<typeof rolloutSchema>;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(private readonly options: RolloutsOptions) {
    this.schema = rolloutSchema(options.parts);
  }

  stateOf(modelName: string): RolloutState {
    return this.byModel.get(modelName)?.state ?? NO_STATE;
  }

  /** Versions that must be loaded and stay so, because a rollout names them, also one that waits for them. */
  keptVersions(modelName: string): ReadonlySet<string> {
    return this.byModel.get(modelName)?.namedVersions() ?? new Set();
  }

  /** Reads the files of these models before their versions are loaded: nothing can be READY yet, so nothing needs be. */
  async start(modelNames: Iterable<string>): Promise<void> {
    for (const modelName of modelNames) await this.rolloutOf(modelName).look(true);
  }

  /** Looks for edits by hand every `everyMs`. */
  watch(everyMs: number): void {
    const next = (): void => {
      this.timer = setTimeout(() => {
        void this.lookAtAll().then(() => {
          if (!this.isClosed) next();
        });
      }, everyMs);
      this.timer.unref();
    };
    next();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  async lookAtAll(): Promise<void> {
    const names = new Set([...this.options.models.snapshot.models.keys(), ...this.byModel.keys()]);
    for (const modelName of names) {
      try {
        await this.rolloutOf(modelName).look(false);
      } catch (error) {
        this.options.log.error({ err: error, model: modelName }, 'a rollout could not be looked at');
      }
    }
  }

  /** Answers what happened. Throws a SluiceError, and then nothing has changed. */
  change(modelName: string, change: Change): Promise<{ state: RolloutState; told: string }> {
    return this.rolloutOf(modelName).change(change);
  }

  /** The newest changes, oldest first. */
  async history(modelName: string, last: number): Promise<unknown[]> {
    const folder = await this.options.folderOf(modelName);
    return folder === undefined ? [] : readAudit(folder, last);
  }

  private rolloutOf(modelName: string): ModelRollout {
    let rollout = this.byModel.get(modelName);
    if (rollout === undefined) {
      const { models, folderOf, log, nowMs = Date.now } = this.options;
      const { schema } = this;
      const putInForce = this.putInForce.bind(this);
      rollout = new ModelRollout(modelName, { models, folderOf, schema, log, nowMs, putInForce });
      this.byModel.set(modelName, rollout);
    }
    return rollout;
  }

  private putInForce(modelName: string, rollout: RolloutInForce | undefined): void {
    const inForce = new Map(this.inForce);
    if (rollout === undefined) inForce.delete(modelName);
    else inForce.set(modelName, rollout);
    this.inForce = inForce;
  }
}
