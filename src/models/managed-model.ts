/**
 * One model of the repository: its loads, and how its set of versions changes. What is READY serves until what replaces it
 * is READY too; both change places in one publication. Its methods are called one after the other (see command-order.ts).
 */
import { SluiceError } from '../core/errors.js';
import type { VersionEntry } from '../core/snapshot.js';
import type { Board } from './board.js';
import type { LoadSlots } from './command-order.js';
import { configDigest, type ModelConfig, type ReadConfig } from './config/model-config.js';
import { loadVersion, type LoadTools } from './load-version.js';
import type { StoreLog } from './ports.js';
import { compareVersions, type FoundVersion } from './repository.js';
import { lookAt } from './version-folder.js';
import { VersionLoad } from './version-load.js';

export interface ModelParts {
  readonly board: Board;
  readonly slots: LoadSlots;
  readonly tools: LoadTools;
  readonly log: StoreLog;
  /** How long a version that leaves waits for bodies that are still on their way. */
  readonly holdMs: number;
}

/** What became of one version that was asked for. */
export interface VersionOutcome {
  readonly version: string;
  readonly result: 'loaded' | 'unchanged' | 'edited' | 'rejected';
  readonly reason: string;
}

export interface ApplyOptions {
  readonly isAll?: boolean;
  readonly origin?: string;
}

/** The origin of what lies in the repository. */
export const DISK = 'disk';

export const EDITED_REASON =
  'its folder was edited after it was loaded; versions do not change: publish a new one, or unload it first';

/** What a client may read; anything that is not ours goes to the log only. */
export function clientReason(error: unknown): string {
  return error instanceof SluiceError ? error.message : 'internal error, see the log of the server';
}

/** For the log: what stands behind a reason that does not tell everything. */
export function hiddenCause(error: unknown): { err?: unknown } {
  const cause = error instanceof SluiceError ? error.cause : error;
  return cause === undefined ? {} : { err: cause };
}

function digestOfConfig(config: ModelConfig): string {
  // The policy chooses versions, it does not change them.
  return configDigest({ ...config, version_policy: undefined });
}

export class ManagedModel {
  /** By version: the load that serves, else the newest one. */
  private readonly shown = new Map<string, VersionLoad>();
  private readonly leaving = new Set<Promise<void>>();
  private pinned: string | undefined;
  /** Of the newest `apply`; undefined: nothing leaves. */
  private wanted: ReadonlySet<string> | undefined;
  /** Logged already. */
  private refusal = '';

  constructor(
    readonly name: string,
    private readonly parts: ModelParts,
    private reason = '',
  ) {}

  get pinnedVersion(): string | undefined {
    return this.pinned;
  }

  loadOf(version: string): VersionLoad | undefined {
    return this.shown.get(version);
  }

  get readyVersions(): string[] {
    return [...this.shown.values()].filter((load) => load.state === 'READY').map((load) => load.version);
  }

  picture() {
    const versions = [...this.shown.values()]
      .map((load) => load.entry)
      .sort((left, right) => compareVersions(left.version, right.version));
    return {
      name: this.name,
      versions: new Map(versions.map((entry): [string, VersionEntry] => [entry.version, entry])),
      pinnedVersion: this.pinned,
      reason: this.reason,
    };
  }

  /** The model as a whole is not served. Where versions serve already, they go on. */
  refuse(error: unknown): void {
    const reason = clientReason(error);
    if (this.refusal !== reason)
      this.parts.log.error({ model: this.name, ...hiddenCause(error) }, `model not served: ${reason}`);
    this.refusal = reason;
    if (this.readyVersions.length > 0) return;
    this.shown.clear();
    this.reason = reason;
    this.publish();
  }

  /**
   * Makes `wanted` the versions that serve. Those that are not wanted leave when all of `wanted` are READY, or stay, all of
   * them: a failed load changes nothing. `isAll` false: more versions belong to them, and nothing leaves yet. `origin` tells
   * what is on disk from what a command brought along: a version of another origin is loaded anew.
   */
  async apply(
    wanted: readonly FoundVersion[],
    read: ReadConfig,
    { isAll = true, origin = DISK }: ApplyOptions = {},
  ): Promise<VersionOutcome[]> {
    this.reason = '';
    this.refusal = '';
    this.wanted = isAll && wanted.length > 0 ? new Set(wanted.map(({ version }) => version)) : undefined;
    const digest = `${origin} ${digestOfConfig(read.config)}`;
    const fresh: VersionLoad[] = [];
    const works: Array<Promise<VersionOutcome>> = [];
    for (const found of wanted) {
      const serving = this.shown.get(found.version);
      const isComparable = serving?.state === 'READY' && serving.origin === origin;
      const edited = isComparable && (await this.checkEdited(serving, found));
      if (serving?.state === 'READY' && serving.settingsDigest === digest) {
        const result = edited ? 'edited' : 'unchanged';
        works.push(Promise.resolve({ version: found.version, result, reason: edited ? EDITED_REASON : '' }));
        continue;
      }
      if (edited) {
        works.push(Promise.resolve({ version: found.version, result: 'edited', reason: EDITED_REASON }));
        continue;
      }
      const load = new VersionLoad(this.parts.board, this.name, found.version, origin, digest);
      fresh.push(load);
      if (serving?.state !== 'READY') this.shown.set(found.version, load);
      works.push(this.parts.slots.use(() => this.loadOne(load, found, read)));
    }
    if (fresh.length > 0) this.publish();
    const outcomes = await Promise.all(works);
    this.retire(this.unwanted().map((load) => load.version));
    return outcomes;
  }

  /** Nothing new reaches these versions from here on; `settled` tells when they are gone. */
  retire(versions: readonly string[]): void {
    const loads = versions.flatMap((version) => this.shown.get(version) ?? []);
    const ready = loads.filter((load) => load.state === 'READY');
    for (const load of ready) load.move('DRAINING');
    if (ready.length > 0) this.publish();
    for (const load of ready) this.closeLoad(load);
  }

  /** `version` undefined takes the pin away. */
  pin(version: string | undefined): void {
    this.pinned = version;
    this.publish();
  }

  /** Forgets versions that do not serve and are no longer on disk. True where nothing is left. */
  forget(onDisk: ReadonlySet<string>): boolean {
    let changed = false;
    for (const [version, load] of this.shown) {
      if (onDisk.has(version) || (load.state !== 'UNLOADED' && load.state !== 'REJECTED')) continue;
      this.shown.delete(version);
      changed = true;
    }
    if (changed) this.publish();
    return this.shown.size === 0;
  }

  /** Whether the version's folder was touched since; told once. */
  async checkEdited(load: VersionLoad, found: FoundVersion): Promise<boolean> {
    if (load.entry.isEdited) return true;
    const look = await lookAt(found.place).catch(() => undefined);
    // Deleted is not edited: then the version is not found any more.
    if (look === undefined || look.fingerprint === load.fingerprint) return false;
    load.markEdited();
    this.parts.log.warn({ model: this.name, version: load.version }, `version: ${EDITED_REASON}`);
    this.publish();
    return true;
  }

  /** Resolves when every load that left is closed. */
  async settled(): Promise<void> {
    await Promise.all(this.leaving);
  }

  private publish(): void {
    this.parts.board.publish(this.picture());
  }

  private move(load: VersionLoad, to: 'WARMING' | 'VERIFYING', known: Partial<VersionEntry>): void {
    load.move(to, known);
    if (this.shown.get(load.version) === load) this.publish();
  }

  private async loadOne(load: VersionLoad, found: FoundVersion, read: ReadConfig): Promise<VersionOutcome> {
    const { log, tools } = this.parts;
    const who = { model: this.name, version: load.version };
    try {
      const order = { modelName: this.name, found, read };
      const loaded = await loadVersion(tools, order, (to, known) => {
        this.move(load, to, known);
      });
      load.fingerprint = loaded.fingerprint;
      load.move('READY', { handle: loaded.handle, report: loaded.report, facts: loaded.facts });
      this.takeOver(load);
      const { execution, warmupMs } = loaded.report;
      log.info({ ...who, execution, warmupMs }, 'model version is ready');
      return { version: load.version, result: 'loaded', reason: '' };
    } catch (error) {
      const reason = clientReason(error);
      log.error({ ...who, ...hiddenCause(error) }, `model version not served: ${reason}`);
      load.move('REJECTED', { reason });
      if (this.shown.get(load.version) === load) this.publish();
      return { version: load.version, result: 'rejected', reason };
    }
  }

  /** The new load takes the place of the old one, and with it go those that nobody wants: one publication. */
  private takeOver(load: VersionLoad): void {
    const old = this.shown.get(load.version);
    this.shown.set(load.version, load);
    const left = old !== undefined && old !== load && old.state === 'READY' ? [old] : [];
    left.push(...this.unwanted());
    for (const other of left) other.move('DRAINING');
    this.publish();
    for (const other of left) this.closeLoad(other);
  }

  /** What serves and may leave: nothing as long as something that is wanted does not serve. */
  private unwanted(): VersionLoad[] {
    const { wanted } = this;
    if (wanted === undefined) return [];
    for (const version of wanted) if (this.shown.get(version)?.state !== 'READY') return [];
    return [...this.shown.values()].filter((load) => load.state === 'READY' && !wanted.has(load.version));
  }

  private closeLoad(load: VersionLoad): void {
    const closing = this.drainAndClose(load).catch((error: unknown) => {
      this.parts.log.error(
        { model: this.name, version: load.version, err: error },
        'a version did not close',
      );
    });
    this.leaving.add(closing);
    void closing.finally(() => this.leaving.delete(closing));
  }

  private async drainAndClose(load: VersionLoad): Promise<void> {
    const { handle, use } = load.entry;
    if (!use.isFree) {
      let timer: NodeJS.Timeout | undefined;
      const tooLong = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, this.parts.holdMs);
      });
      await Promise.race([use.freed(), tooLong]);
      clearTimeout(timer);
    }
    await this.parts.tools.loader.close(handle);
    load.move('UNLOADED', { handle: -1 });
    if (this.shown.get(load.version) === load) this.publish();
    const who = { model: this.name, version: load.version, generation: load.entry.generation };
    this.parts.log.info(who, 'model version is unloaded');
  }
}
