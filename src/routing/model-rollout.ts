/**
 * The rollout of one model: reads its file, picks up edits by hand, makes the changes that people and plans ask for, and keeps
 * what was good last in force when the file is not. A change is checked, written, put in force and logged, in this order, and
 * nothing else happens meanwhile. Lives on the loop.
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
  type KnownVersions,
  type Rollout,
  type rolloutSchema,
} from './rollout.js';
import {
  appendAudit,
  NO_FILE,
  parseRolloutText,
  readRolloutText,
  stampOf,
  writeRolloutText,
} from './rollout-file.js';
import type { RolloutInForce } from './route-table.js';

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

export interface ModelRolloutParts {
  readonly models: { readonly snapshot: Snapshot };
  /** undefined: the model has no folder of its own, so it can have no rollout. */
  readonly folderOf: (modelName: string) => Promise<string | undefined>;
  readonly schema: ReturnType<typeof rolloutSchema>;
  readonly log: RolloutLog;
  readonly nowMs: () => number;
  /** From now on; undefined: there is none. */
  readonly putInForce: (modelName: string, inForce: RolloutInForce | undefined) => void;
}

export const NO_STATE: RolloutState = { rollout: EMPTY_ROLLOUT, etag: '', problem: '' };

function versionsOf(model: ModelEntry): KnownVersions {
  const { versions } = model;
  return {
    has: (version) => versions.has(version),
    isReady: (version) => versions.get(version)?.state === 'READY',
    keys: () => versions.keys(),
  };
}

export class ModelRollout {
  private known: RolloutState = NO_STATE;
  /** A model does not change its place, but may get one later. */
  private folder: string | undefined;
  /** The snapshot with which it had none; it is looked for again with another one. */
  private placelessIn: Snapshot | undefined;
  private stamp = 'gone';
  /** The snapshot against which the file was last refused; it is looked at again with another one. */
  private refusedIn: Snapshot | undefined;
  /** What the refused file says, where it says something. */
  private wanted: Rollout = EMPTY_ROLLOUT;
  /** A file that is gone is believed to be gone when it is so twice: editors delete before they write. */
  private goneLooks = 0;
  /** A file was never good, so nobody knows where requests should go. */
  private isUnknown = false;
  /** Ends when the last change or look is done. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly name: string,
    private readonly parts: ModelRolloutParts,
  ) {}

  get state(): RolloutState {
    return this.known;
  }

  /** Of what is in force, and of what waits for them. */
  namedVersions(): ReadonlySet<string> {
    return new Set([this.known.rollout, this.wanted].flatMap((one) => [...namedVersions(one).values()]));
  }

  /** `isStart`: its versions are not loaded yet, so none needs be READY. */
  look(isStart: boolean): Promise<void> {
    return this.inTurn(async () => {
      const folder = await this.findFolder();
      if (folder !== undefined) await this.readAgain(folder, isStart);
    });
  }

  /** Answers what happened. Throws a SluiceError, and then nothing has changed. */
  change(change: Change): Promise<{ state: RolloutState; told: string }> {
    return this.inTurn(async () => {
      this.mustHave();
      const folder = await this.findFolder();
      if (folder === undefined) {
        throw new SluiceError(
          'CONFLICT',
          `model "${this.name}" is a bare file: a rollout needs a folder <model>/<version>/model.onnx`,
        );
      }
      await this.readAgain(folder, false);
      const before = this.known;
      checkMatch(change.ifMatch ?? '', before.etag);
      if (before.problem !== '' && change.mayReplaceBroken !== true) {
        throw new SluiceError(
          'CONFLICT',
          `${FILE_NAME} of model "${this.name}" was edited and is not good, mend it first: ${before.problem}`,
        );
      }
      const move = change.edit(before.rollout);
      const rollout = checkRollout(this.parts.schema, move.rollout, FILE_NAME);
      checkVersions(rollout, before.rollout, this.name, versionsOf(this.mustHave()), FILE_NAME);
      const written = await writeRolloutText(folder, `${JSON.stringify(rollout, null, 2)}\n`);
      this.stamp = await stampOf(folder);
      this.apply({ rollout, etag: written.etag, problem: '' }, false);
      await this.audit(folder, change.who, move.told, before.rollout, rollout);
      return { state: this.known, told: move.told };
    });
  }

  private mustHave(): ModelEntry {
    const model = this.parts.models.snapshot.models.get(this.name);
    if (model === undefined) throw new SluiceError('MODEL_NOT_FOUND', `unknown model "${this.name}"`);
    return model;
  }

  private async findFolder(): Promise<string | undefined> {
    const { snapshot } = this.parts.models;
    if (this.folder !== undefined || this.placelessIn === snapshot) return this.folder;
    this.folder = await this.parts.folderOf(this.name);
    this.placelessIn = snapshot;
    return this.folder;
  }

  private inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.turn.then(act);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async readAgain(folder: string, isStart: boolean): Promise<void> {
    const { snapshot } = this.parts.models;
    const stamp = await stampOf(folder);
    const mayBeGoodNow = this.refusedIn !== undefined && this.refusedIn !== snapshot;
    if (stamp === this.stamp && !mayBeGoodNow) return;
    if (stamp === 'gone') {
      this.goneLooks += 1;
      if (this.goneLooks < 2 && !isStart) return;
    }
    this.goneLooks = 0;
    this.stamp = stamp;
    const before = this.known;
    this.wanted = EMPTY_ROLLOUT;
    try {
      const file = await readRolloutText(folder);
      if (file.etag === before.etag && before.problem === '') return;
      const { schema } = this.parts;
      const rollout =
        file === NO_FILE ? EMPTY_ROLLOUT : checkRollout(schema, parseRolloutText(file.text), FILE_NAME);
      this.wanted = rollout;
      const model = snapshot.models.get(this.name);
      if (model !== undefined && !isStart)
        checkVersions(rollout, before.rollout, this.name, versionsOf(model), FILE_NAME);
      this.refusedIn = undefined;
      this.wanted = EMPTY_ROLLOUT;
      this.apply({ rollout, etag: file.etag, problem: '' }, false);
      if (!isStart) await this.audit(folder, 'file', `${FILE_NAME} was edited`, before.rollout, rollout);
    } catch (error) {
      this.refuse(error, isStart, snapshot);
    }
  }

  private refuse(error: unknown, isStart: boolean, snapshot: Snapshot): void {
    const problem = error instanceof SluiceError ? error.message : `${FILE_NAME}: cannot be read`;
    // Only what depends on versions can become good without being touched.
    this.refusedIn = snapshot;
    const isNews = this.known.problem !== problem;
    const { rollout, etag } = this.known;
    this.apply({ rollout, etag, problem }, isStart);
    if (!isNews) return;
    const kept = isStart ? 'requests must name their version' : 'what was good last stays in force';
    this.parts.log.error({ err: error, model: this.name }, `a rollout is not good, ${kept}: ${problem}`);
  }

  private apply(state: RolloutState, isUnknown: boolean): void {
    const before = this.known;
    this.known = state;
    const stays = isUnknown || (this.isUnknown && state.problem !== '');
    if (before.rollout === state.rollout && stays === this.isUnknown) return;
    this.isUnknown = stays;
    const isNone = state.etag === '' && !stays;
    this.parts.putInForce(this.name, isNone ? undefined : { rollout: state.rollout, isUnknown: stays });
  }

  private async audit(folder: string, who: string, told: string, from: Rollout, to: Rollout): Promise<void> {
    const time = new Date(this.parts.nowMs()).toISOString();
    const entry: AuditEntry = { time, who, model: this.name, told, from, to };
    this.parts.log.info({ model: this.name, who }, `rollout changed: ${told}`);
    try {
      await appendAudit(folder, entry);
    } catch (error) {
      this.parts.log.error({ err: error, model: this.name }, 'the change of a rollout could not be logged');
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
