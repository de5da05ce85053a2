/**
 * The connections of one client: which of them has the most room, and when lost ones are opened again. Everything happens in
 * callbacks of sockets and timers.
 */
import { Connection, type ConnectionOwner } from './connection.js';
import { clientError, type InferError } from './errors.js';
import { FrameWriter } from './frame-writer.js';
import type { InferCall } from './request.js';
import type { Surroundings } from './socket.js';

const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 10_000;
/** Of the close codes that ask for a pause: the pause begins where a few failures would have led. */
const PAUSE_CODES: ReadonlySet<number> = new Set([1011, 1013]);
const FAILURES_OF_PAUSE = 4;

export interface PoolOptions {
  readonly connections: number;
  readonly connectTimeoutMs: number;
}

export interface PoolOwner {
  /** A connection is open, and says what the server serves. */
  onHello(connection: Connection): void;
  /** Something was answered, so there is room. */
  onRoom(): void;
  /** No connection is open; others will be. */
  onNoneOpen(): void;
  /** The call did not run, or may be sent again though it ran. */
  onSendAgain(call: InferCall, error: InferError): void;
  onStrayAnswer(): void;
  /** It makes no sense to connect again. */
  onFailed(error: InferError): void;
}

/** A place in the pool: its connection, or the timer until the next one. */
interface Slot {
  connection: Connection | undefined;
  cancelTimer: (() => void) | undefined;
  failures: number;
}

export class Pool implements ConnectionOwner {
  private readonly writer = new FrameWriter();
  private readonly slots: Slot[];
  /** After a goodbye: no longer in a slot, still answering. */
  private readonly leaving = new Set<Connection>();
  /** The server has said hello once: what is lost from then on is opened again. */
  private hasOpened = false;
  private isClosed = false;

  constructor(
    private readonly url: string,
    private readonly options: PoolOptions,
    private readonly around: Surroundings,
    private readonly owner: PoolOwner,
  ) {
    this.slots = Array.from({ length: options.connections }, () => ({
      connection: undefined,
      cancelTimer: undefined,
      failures: 0,
    }));
    for (const slot of this.slots) this.open(slot);
  }

  /** Calls that could be sent at once. */
  get room(): number {
    return this.slots.reduce((sum, { connection }) => sum + (connection?.room ?? 0), 0);
  }

  get inFlightCount(): number {
    return this.connections().reduce((sum, { inFlightCount }) => sum + inFlightCount, 0);
  }

  get openCount(): number {
    return this.connections().filter(({ isOpen }) => isOpen).length;
  }

  /** Of some connection the socket has more bytes than leave at once. */
  get isChoked(): boolean {
    return this.slots.some(({ connection }) => connection?.isOpen === true && connection.isChoked);
  }

  /** Of those with room, the one with the fewest calls in flight. */
  roomiest(): Connection | undefined {
    let best: Connection | undefined;
    for (const { connection } of this.slots) {
      if (connection === undefined || connection.room === 0) continue;
      if (best === undefined || connection.inFlightCount < best.inFlightCount) best = connection;
    }
    return best;
  }

  close(): void {
    this.isClosed = true;
    for (const slot of this.slots) slot.cancelTimer?.();
    for (const connection of this.connections()) connection.close();
    for (const slot of this.slots) slot.connection = undefined;
    this.leaving.clear();
  }

  onHello(connection: Connection): void {
    this.hasOpened = true;
    this.owner.onHello(connection);
  }

  onRoom(): void {
    this.owner.onRoom();
  }

  onStrayAnswer(): void {
    this.owner.onStrayAnswer();
  }

  onSendAgain(call: InferCall, error: InferError): void {
    this.owner.onSendAgain(call, error);
  }

  onLeaving(connection: Connection, reconnectAfterMs: number): void {
    const slot = this.slotOf(connection);
    if (slot === undefined) return;
    this.leaving.add(connection);
    slot.connection = undefined;
    slot.failures = 0;
    // All clients of the server hear the goodbye at the same time.
    const spreadMs = Math.max(LEAST_PAUSE_MS, reconnectAfterMs) * this.around.random();
    this.openLater(slot, reconnectAfterMs + spreadMs);
  }

  onClosed(connection: Connection, code: number, reason: string, fault: InferError | undefined): void {
    this.leaving.delete(connection);
    const slot = this.slotOf(connection);
    if (slot === undefined || this.isClosed) return;
    slot.connection = undefined;
    if (connection.hasAnswered) slot.failures = 0;
    if (PAUSE_CODES.has(code)) slot.failures = Math.max(slot.failures, FAILURES_OF_PAUSE);
    if (fault !== undefined || !this.hasOpened) {
      const why = `code ${code}${reason === '' ? '' : `, ${reason}`}`;
      this.owner.onFailed(
        fault ??
          clientError(
            'CONNECT_FAILED',
            `expected a Sluice server at ${this.url}, got no connection (${why})`,
          ),
      );
      return;
    }
    const mostMs = Math.min(MOST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** slot.failures);
    slot.failures += 1;
    this.openLater(slot, mostMs * this.around.random());
  }

  private open(slot: Slot): void {
    slot.cancelTimer = undefined;
    slot.connection = new Connection(this.url, this, this.writer, this.around, this.options.connectTimeoutMs);
  }

  private openLater(slot: Slot, delayMs: number): void {
    slot.cancelTimer = this.around.after(delayMs, () => {
      this.open(slot);
    });
    if (this.slots.every(({ connection }) => connection?.isOpen !== true)) this.owner.onNoneOpen();
  }

  private slotOf(connection: Connection): Slot | undefined {
    return this.slots.find((slot) => slot.connection === connection);
  }

  private connections(): Connection[] {
    return [...this.slots.flatMap(({ connection }) => connection ?? []), ...this.leaving];
  }
}
