/**
 * The published picture of all models, and the list of what happened to them. One assignment per change: whoever reads
 * the snapshot sees all of a swap or nothing of it. Lives on the loop.
 */
import {
  EMPTY_SNAPSHOT,
  type ModelEntry,
  type Snapshot,
  type VersionEntry,
  type VersionEvent,
} from '../core/snapshot.js';

const MOST_EVENTS = 4096;

export type EventListener = (event: VersionEvent) => void;

export interface ModelPicture {
  readonly name: string;
  /** Ascending by number. */
  readonly versions: ReadonlyMap<string, VersionEntry>;
  readonly pinnedVersion: string | undefined;
  readonly reason: string;
}

export function makeModelEntry(model: ModelPicture, previous: ModelEntry | undefined): ModelEntry {
  const counted = [...model.versions.values()].filter((version) => version.state !== 'UNLOADED');
  const ready = counted.filter((version) => version.state === 'READY');
  const pinned = ready.find((version) => version.version === model.pinnedVersion);
  const isWhole = counted.length > 0 && ready.length === counted.length;
  const isReady = model.reason === '' && ready.length > 0 && (isWhole || previous?.isReady === true);
  return { ...model, platform: 'onnxruntime_onnx', defaultVersion: pinned ?? ready.at(-1), isReady };
}

export class Board {
  private current: Snapshot = EMPTY_SNAPSHOT;
  private readonly recent: VersionEvent[] = [];
  private sequence = 0;
  private readonly listeners = new Set<EventListener>();

  constructor(private readonly nowMs: () => number = Date.now) {}

  get snapshot(): Snapshot {
    return this.current;
  }

  /** Several models at once, in the order of their names. */
  publishAll(models: readonly ModelPicture[]): void {
    const entries = models.map((model) => makeModelEntry(model, undefined));
    this.current = { models: new Map(entries.map((entry) => [entry.name, entry])) };
  }

  publish(model: ModelPicture): void {
    const { models } = this.current;
    const entry = makeModelEntry(model, models.get(model.name));
    const changed = new Map(models).set(model.name, entry);
    // A name that is new goes to its place; one that is there keeps it.
    const ordered = models.has(model.name)
      ? changed
      : new Map([...changed].sort(([left], [right]) => (left < right ? -1 : 1)));
    this.current = { models: ordered };
  }

  remove(modelName: string): void {
    const models = new Map(this.current.models);
    models.delete(modelName);
    this.current = { models };
  }

  record(event: Omit<VersionEvent, 'sequence' | 'timeMs'>): void {
    this.sequence += 1;
    const whole = { sequence: this.sequence, timeMs: this.nowMs(), ...event };
    this.recent.push(whole);
    if (this.recent.length > MOST_EVENTS) this.recent.splice(0, MOST_EVENTS / 4);
    for (const listener of this.listeners) listener(whole);
  }

  /** The newest events that are newer than `sequence`, oldest first. */
  eventsAfter(sequence: number): readonly VersionEvent[] {
    return this.recent.filter((event) => event.sequence > sequence);
  }

  /** Answers what ends the listening. */
  listen(listener: EventListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
