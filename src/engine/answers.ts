/**
 * The way out of the addon, for one event loop: owns the sinks of requests in flight, by ticket, and hands each its answer, read
 * from memory that the addon exported once. A long reply has memory of its own, which goes back as soon as nobody needs it.
 */
import { ERRORS } from '../core/errors.js';
import { STAGES } from '../core/version-stats.js';
import type { Addon, SharedMemory } from './addon.js';
import type { ReplySink } from './engine.js';

const QUEUE_FULL = ERRORS.QUEUE_FULL.number;
/** Fields of a row of the ring: ticket, error number, offset, length, length of the JSON part. */
const RING_FIELDS = 5;
/** Words behind its 1024 rows: the addon tells that more is ready, and is told that all rows have been delivered. */
const RING_HAS_MORE = 1024 * RING_FIELDS;
const RING_IS_READ = RING_HAS_MORE + 1;

/** The delivery goes on: an error of one sink is nothing to the others. */
function throwUncaught(cause: unknown): void {
  process.nextTick(() => {
    throw cause;
  });
}

export class Answers {
  private readonly ring: Uint32Array;
  private readonly replies: ArrayBuffer;
  private readonly times: Float32Array;
  /** Views of `replies` by row of the ring, and where each begins: the views' own getters cost more. */
  private readonly views: Uint8Array[] = [];
  private readonly viewsAt: number[] = [];
  private readonly sinks: Array<ReplySink | undefined> = [];
  private inFlight = 0;
  /** Row of the ring that is being delivered. */
  private delivering = 0;
  /** The long reply that is being delivered, until somebody keeps it. */
  private long: ArrayBuffer | undefined = undefined;
  /** Where in `replies` the bytes lie that are being delivered; 0: in memory of their own. */
  deliveredAt = 0;
  private whenIdle: (() => void) | undefined;
  afterDelivery: () => void = () => undefined;

  constructor(
    private readonly addon: Addon,
    memory: SharedMemory,
  ) {
    this.ring = new Uint32Array(memory.ring);
    this.replies = memory.replies;
    this.times = new Float32Array(memory.times);
  }

  expect(ticket: number, sink: ReplySink): void {
    this.sinks[ticket] = sink;
    this.inFlight += 1;
  }

  /** Resolves once nothing is in flight. */
  async settled(): Promise<void> {
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
  }

  timesUs(): Float32Array {
    const at = this.delivering * STAGES.length;
    return this.times.subarray(at, at + STAGES.length);
  }

  keep(): (() => void) | undefined {
    const { long } = this;
    if (long === undefined) return undefined;
    this.long = undefined;
    return () => this.addon.freeLong(long);
  }

  /**
   * Reads the ring until nothing is left, from the rows that it has now on; -1: a reply that does not fit the shared memory
   * comes alone. True where something was refused for what waits. What workers finish meanwhile has a wake-up of its own.
   */
  deliver(rows: number): boolean {
    const { ring } = this;
    let hasRefused = false;
    while (rows !== 0) {
      if (rows < 0) {
        this.long = this.addon.takeLong();
        hasRefused = this.deliverRow(0, this.long) || hasRefused;
      } else {
        for (let row = 0; row < rows; row += 1) hasRefused = this.deliverRow(row, this.replies) || hasRefused;
      }
      try {
        this.afterDelivery();
      } catch (cause) {
        throwUncaught(cause);
      }
      this.keep()?.();
      rows = ring[RING_HAS_MORE] === 0 ? 0 : this.addon.drain();
    }
    ring[RING_IS_READ] = 1;
    if (this.inFlight === 0 && this.whenIdle !== undefined) this.whenIdle();
    return hasRefused;
  }

  /** True where it is a refusal for what waits. */
  private deliverRow(row: number, memory: ArrayBuffer): boolean {
    this.delivering = row;
    const at = row * RING_FIELDS;
    const ring = this.ring;
    const ticket = ring[at]!;
    const sink = this.sinks[ticket]!;
    this.sinks[ticket] = undefined;
    this.inFlight -= 1;
    const status = ring[at + 1]!;
    const bytes = this.bytesOf(row, memory, ring[at + 2]!, ring[at + 3]!);
    try {
      sink.delivered(status, bytes, ring[at + 4]!);
    } catch (cause) {
      throwUncaught(cause);
    }
    return status === QUEUE_FULL;
  }

  /** Replies of one model are alike, so a row's bytes mostly lie where they lay before: the view of them is kept. */
  private bytesOf(row: number, memory: ArrayBuffer, offset: number, length: number): Uint8Array {
    if (memory !== this.replies) {
      this.deliveredAt = 0;
      return new Uint8Array(memory, offset, length);
    }
    this.deliveredAt = offset;
    const { views, viewsAt } = this;
    if (row < views.length && viewsAt[row] === offset && views[row]!.length === length) return views[row]!;
    const view = new Uint8Array(memory, offset, length);
    views[row] = view;
    viewsAt[row] = offset;
    return view;
  }
}
