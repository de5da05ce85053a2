/**
 * The rollouts of all models: reads their files, picks up edits by hand, makes the changes that people and plans ask for,
 * one after another for each model, and keeps what was good last in force when a file is not. A change is checked, written,
 * put in force and logged, in this order. Lives on the loop.
 */
import { SluiceError } from '../core/errors.js';
import type { ModelEntry, Snapshot } from '../core/snapshot.js';
import type { Move } from './moves.js';
import {
  checkRollout,
  checkVersions,
  EMPTY_ROLLOUT,
  FILE_NAME,
  namedVersions,
  rolloutSchema,
  type KnownVersions,
  type Rollout,
  type RolloutParts,
} from './rollout.js';
import {
  appendAudit,
  NO_FILE,
  parseRolloutText,
  readAudit,
  readRolloutText,
  stampOf,
  writeRolloutText,
} from './rollout-file.js';
import type { RolloutInForce, RolloutSource } from './route-table.js';

export interface RolloutLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One line of the audit log. */
export interface AuditEntry {
  readonly time: string;
  /** Id of a key, `anonymous`, `file` for an edit by hand, or the name of the part of the server that did it. */
  readonly who: string;
  readonly model: string;
  /** What happened, in one sentence. */
  readonly told: string;
  readonly from: Rollout;
  readonly to: Rollout;
}

export interface RolloutState {
  readonly rollout: Rollout;
  /** Of the file that is in force; '' without one. */
  readonly etag: string;
  /** Why the file on disk is not in force; '' where it is. */
  readonly problem: string;
}

export interface Change {
  readonly who: string;
  /** The etag that the caller knows; '' or '*' for any. */
  readonly ifMatch?: string;
  /** May replace a file that is not good. */
  readonly mayReplaceBroken?: boolean;
  readonly edit: (rollout: Rollout) => Move;
}

export interface RolloutsOptions {
  readonly models: { readonly snapshot: Snapshot };
  /** undefined: the model has no folder of its own, so it can have no rollout. */
  readonly folderOf: (modelName: string) => Promise<string | undefined>;
  readonly parts: RolloutParts;
  readonly log: RolloutLog;
  readonly nowMs?: () => number;
}

interface ModelRollout {
  /** A model does not change its place, but may get one later. */
  folder: string | undefined;
  /** The snapshot with which it had none; it is looked for again with another one. */
  placelessIn: Snapshot | undefined;
  state: RolloutState;
  stamp: string;
  /** The snapshot against which the file was last refused; it is looked at again with another one. */
  refusedIn: Snapshot | undefined;
  /** What the refused file says, where it says something. */
  wanted: Rollout;
  /** A file that is gone is believed to be gone when it is so twice: editors delete before they write. */
  goneLooks: number;
  /** Ends when the last change or look is done. */
  turn: Promise<unknown>;
}

const NO_STATE: RolloutState = { rollout: EMPTY_ROLLOUT, etag: '', problem: '' };

function versionsOf(model: ModelEntry): KnownVersions {
  const { versions } = model;
  return {
    has: (version) => versions.has(version),
    isReady: (version) => versions.get(version)?.state === 'READY',
    keys: () => versions.keys(),
  };
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
    const known = this.byModel.get(modelName);
    if (known === undefined) return new Set();
    return new Set([known.state.rollout, known.wanted].flatMap((one) => [...namedVersions(one).values()]));
  }

  /** Reads the files of these models before their versions are loaded: nothing can be READY yet, so nothing needs be. */
  async start(modelNames: Iterable<string>): Promise<void> {
    for (const modelName of modelNames) await this.look(modelName, true);
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
        await this.look(modelName, false);
      } catch (error) {
        this.options.log.error({ err: error, model: modelName }, 'a rollout could not be looked at');
      }
    }
  }

  /** Answers what happened. Throws a SluiceError, and then nothing has changed. */
  change(modelName: string, change: Change): Promise<{ state: RolloutState; told: string }> {
    return this.inTurn(modelName, async (known) => {
      this.mustHave(modelName);
      const folder = await this.folderOf(modelName, known);
      if (folder === undefined) {
        throw new SluiceError(
          'CONFLICT',
          `model "${modelName}" is a bare file: a rollout needs a folder <model>/<version>/model.onnx`,
        );
      }
      await this.readAgain(modelName, known, folder, false);
      const before = known.state;
      checkMatch(change.ifMatch ?? '', before.etag);
      if (before.problem !== '' && change.mayReplaceBroken !== true) {
        throw new SluiceError(
          'CONFLICT',
          `${FILE_NAME} of model "${modelName}" was edited and is not good, mend it first: ${before.problem}`,
        );
      }
      const move = change.edit(before.rollout);
      const rollout = checkRollout(this.schema, move.rollout, FILE_NAME);
      checkVersions(rollout, before.rollout, modelName, versionsOf(this.mustHave(modelName)), FILE_NAME);
      const written = await writeRolloutText(folder, `${JSON.stringify(rollout, null, 2)}\n`);
      known.stamp = await stampOf(folder);
      this.apply(modelName, known, { rollout, etag: written.etag, problem: '' }, false);
      await this.audit(modelName, folder, change.who, move.told, before.rollout, rollout);
      return { state: known.state, told: move.told };
    });
  }

  /** The newest changes, oldest first. */
  async history(modelName: string, last: number): Promise<unknown[]> {
    const folder = await this.options.folderOf(modelName);
    return folder === undefined ? [] : readAudit(folder, last);
  }

  private look(modelName: string, isStart: boolean): Promise<void> {
    return this.inTurn(modelName, async (known) => {
      const folder = await this.folderOf(modelName, known);
      if (folder !== undefined) await this.readAgain(modelName, known, folder, isStart);
    });
  }

  private mustHave(modelName: string): ModelEntry {
    const model = this.options.models.snapshot.models.get(modelName);
    if (model === undefined) throw new SluiceError('MODEL_NOT_FOUND', `unknown model "${modelName}"`);
    return model;
  }

  private async folderOf(modelName: string, known: ModelRollout): Promise<string | undefined> {
    const { snapshot } = this.options.models;
    if (known.folder !== undefined || known.placelessIn === snapshot) return known.folder;
    known.folder = await this.options.folderOf(modelName);
    known.placelessIn = snapshot;
    return known.folder;
  }

  private inTurn<Result>(modelName: string, act: (known: ModelRollout) => Promise<Result>): Promise<Result> {
    const known: ModelRollout = this.byModel.get(modelName) ?? {
      folder: undefined,
      placelessIn: undefined,
      state: NO_STATE,
      stamp: 'gone',
      refusedIn: undefined,
      wanted: EMPTY_ROLLOUT,
      goneLooks: 0,
      turn: Promise.resolve(),
    };
    this.byModel.set(modelName, known);
    const result = known.turn.then(() => act(known));
    known.turn = result.catch(() => undefined);
    return result;
  }

  private async readAgain(
    modelName: string,
    known: ModelRollout,
    folder: string,
    isStart: boolean,
  ): Promise<void> {
    const { snapshot } = this.options.models;
    const stamp = await stampOf(folder);
    const mayBeGoodNow = known.refusedIn !== undefined && known.refusedIn !== snapshot;
    if (stamp === known.stamp && !mayBeGoodNow) return;
    if (stamp === 'gone') {
      known.goneLooks += 1;
      if (known.goneLooks < 2 && !isStart) return;
    }
    known.goneLooks = 0;
    known.stamp = stamp;
    const before = known.state;
    known.wanted = EMPTY_ROLLOUT;
    try {
      const file = await readRolloutText(folder);
      if (file.etag === before.etag && before.problem === '') return;
      const rollout =
        file === NO_FILE ? EMPTY_ROLLOUT : checkRollout(this.schema, parseRolloutText(file.text), FILE_NAME);
      known.wanted = rollout;
      const model = snapshot.models.get(modelName);
      if (model !== undefined && !isStart)
        checkVersions(rollout, before.rollout, modelName, versionsOf(model), FILE_NAME);
      known.refusedIn = undefined;
      known.wanted = EMPTY_ROLLOUT;
      this.apply(modelName, known, { rollout, etag: file.etag, problem: '' }, false);
      if (!isStart)
        await this.audit(modelName, folder, 'file', `${FILE_NAME} was edited`, before.rollout, rollout);
    } catch (error) {
      this.refuse(modelName, known, error, isStart, snapshot);
    }
  }

  private refuse(
    modelName: string,
    known: ModelRollout,
    error: unknown,
    isStart: boolean,
    snapshot: Snapshot,
  ): void {
    const problem = error instanceof SluiceError ? error.message : `${FILE_NAME}: cannot be read`;
    // Only what depends on versions can become good without being touched.
    known.refusedIn = snapshot;
    const isNews = known.state.problem !== problem;
    const { rollout, etag } = known.state;
    this.apply(modelName, known, { rollout, etag, problem }, isStart);
    if (!isNews) return;
    const kept = isStart ? 'requests must name their version' : 'what was good last stays in force';
    this.options.log.error({ err: error, model: modelName }, `a rollout is not good, ${kept}: ${problem}`);
  }

  private apply(modelName: string, known: ModelRollout, state: RolloutState, isUnknown: boolean): void {
    const before = known.state;
    known.state = state;
    const wasUnknown = this.inForce.get(modelName)?.isUnknown ?? false;
    const stays = isUnknown || (wasUnknown && state.problem !== '');
    if (before.rollout === state.rollout && stays === wasUnknown) return;
    const inForce = new Map(this.inForce);
    if (state.etag === '' && !stays) inForce.delete(modelName);
    else inForce.set(modelName, { rollout: state.rollout, isUnknown: stays });
    this.inForce = inForce;
  }

  private async audit(
    modelName: string,
    folder: string,
    who: string,
    told: string,
    from: Rollout,
    to: Rollout,
  ): Promise<void> {
    const time = new Date((this.options.nowMs ?? Date.now)()).toISOString();
    const entry: AuditEntry = { time, who, model: modelName, told, from, to };
    this.options.log.info({ model: modelName, who }, `rollout changed: ${told}`);
    try {
      await appendAudit(folder, entry);
    } catch (error) {
      this.options.log.error({ err: error, model: modelName }, 'the change of a rollout could not be logged');
    }
  }
}

function checkMatch(ifMatch: string, etag: string): void {
  if (ifMatch === '' || ifMatch === '*' || ifMatch === etag) return;
  throw new SluiceError(
    'CHANGED_MEANWHILE',
    `the rollout was changed meanwhile: expected If-Match ${etag === '' ? '*' : etag}, got ${ifMatch.slice(0, 64)}`,
  );
}
