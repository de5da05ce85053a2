/**
 * One load of one version, from LOADING to UNLOADED or REJECTED: the only holder of its state. A version that is loaded
 * anew while it serves has two of them for a while.
 */
import type { VersionState } from '../core/model.js';
import type { VersionEntry } from '../core/snapshot.js';
import { VersionUse } from '../core/version-use.js';
import type { Board } from './board.js';
import { moveState } from './version-state.js';

let lastGeneration = 0;

export class VersionLoad {
  entry: VersionEntry;
  /** Of the version's folder when it was loaded. */
  fingerprint = '';

  constructor(
    private readonly board: Board,
    modelName: string,
    version: string,
    /** Where its files and its configuration come from. */
    readonly origin: string,
    /** Of the configuration that it is loaded with. */
    readonly settingsDigest: string,
  ) {
    lastGeneration += 1;
    this.entry = {
      modelName,
      version,
      generation: lastGeneration,
      state: 'LOADING',
      reason: '',
      handle: -1,
      plan: undefined,
      metadata: undefined,
      report: undefined,
      facts: undefined,
      isEdited: false,
      use: new VersionUse(),
    };
    this.record(undefined, 'LOADING', '');
  }

  get version(): string {
    return this.entry.version;
  }

  get state(): VersionState {
    return this.entry.state;
  }

  move(to: VersionState, known: Partial<VersionEntry> = {}): void {
    const { modelName, version, state } = this.entry;
    this.entry = {
      ...this.entry,
      ...known,
      state: moveState(`model "${modelName}" version ${version}`, state, to),
    };
    this.record(state, to, this.entry.reason);
  }

  markEdited(): void {
    this.entry = { ...this.entry, isEdited: true };
  }

  private record(from: VersionState | undefined, to: VersionState, reason: string): void {
    const { modelName, version, generation } = this.entry;
    this.board.record({ modelName, version, generation, from, to, reason });
  }
}
