/**
 * Connections to one server, and the queue of calls that wait for room on one. Everything happens in callbacks of sockets,
 * timers and callers; no promise is made that nobody awaits.
 */
import { Connection, type ConnectionOwner } from './connection.js';
import { clientError, type InferError } from './errors.js';
import { FrameWriter } from './frame-writer.js';
import type { InferClient, InferOptions, InferResult, Inputs, ModelInfo, OutputTypes } from './model.js';
import { checkNumber, InferCall, MOST_RESENDS } from './request.js';
import type { Surroundings } from './socket.js';

export type ConnectionState = 'open' | 'reconnecting' | 'closed';

export interface ConnectOptions {
  /** Sockets that are kept open; calls go to the one with the fewest in flight. */
  readonly connections?: number;
  /** Calls that may wait for room; one more fails with CLIENT_QUEUE_FULL. */
  readonly maxWaiting?: number;
  /** For calls that say nothing themselves; 0: none. */
  readonly deadlineMs?: number;
  /** For calls that say nothing themselves: may be sent again after a lost connection. */
  readonly idempotent?: boolean;
  /** Time for a connection to open and the server to say hello. */
  readonly connectTimeoutMs?: number;
  /** The state changed. */
  readonly onState?: (state: ConnectionState) => void;
  /** The server's models changed, or another server answers. */
  readonly onModels?: (models: ReadonlyMap<string, ModelInfo>) => void;
}

export interface ClientCounts {
  readonly waiting: number;
  readonly inFlight: number;
  readonly openConnections: number;
  /** Answers for no call in flight. */
  readonly strayAnswers: number;
  /** Calls that were sent again. */
  readonly resent: number;
}

const DEFAULTS = {
  connections: 1,
  maxWaiting: 1024,
  deadlineMs: 30_000,
  idempotent: false,
  connectTimeoutMs: 10_000,
} as const;

const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 10_000;
/** Of the close codes that ask for a pause: the pause begins where a few failures would have led. */
const PAUSE_CODES: ReadonlySet<number> = new Set([1011, 1013]);
const FAILURES_OF_PAUSE = 4;
const CHOKED_LOOK_MS = 10;

/** A place in the pool: its connection, or the timer until the next one. */
interface Slot {
  connection: Connection | undefined;
  cancelTimer: (() => void) | undefined;
  failures: number;
}

export class Client implements InferClient, ConnectionOwner {
  /** Resolves with the first hello; rejects where the first connection fails. */
  readonly opened: Promise<void>;
  private settleOpened: { resolve: () => void; reject: (error: InferError) => void } | undefined;
  private readonly options: Required<Omit<ConnectOptions, 'onState' | 'onModels'>> & ConnectOptions;
  private readonly writer = new FrameWriter();
  private readonly slots: Slot[];
  /** After a goodbye: no longer in a slot, still answering. */
  private readonly leaving = new Set<Connection>();
  private readonly queue: InferCall[] = [];
  private waiters: { resolve: () => void; reject: (error: InferError) => void }[] = [];
  private known: ReadonlyMap<string, ModelInfo> = new Map();
  private end: InferError | undefined;
  private state: ConnectionState | undefined;
  private isLookingAgain = false;
  private strayAnswers = 0;
  private resent = 0;

  constructor(
    private readonly url: string,
    options: ConnectOptions,
    private readonly around: Surroundings,
  ) {
    this.options = { ...DEFAULTS, ...withoutUndefined(options) };
    checkNumber('connections', this.options.connections, 1);
    checkNumber('maxWaiting', this.options.maxWaiting, 0);
    checkNumber('deadlineMs', this.options.deadlineMs, 0);
    checkNumber('connectTimeoutMs', this.options.connectTimeoutMs, 1);
    this.opened = new Promise((resolve, reject) => {
      this.settleOpened = { resolve, reject };
    });
    this.slots = Array.from({ length: this.options.connections }, () => ({
      connection: undefined,
      cancelTimer: undefined,
      failures: 0,
    }));
    for (const slot of this.slots) this.open(slot);
  }

  /** What the server last said it serves. */
  get models(): ReadonlyMap<string, ModelInfo> {
    return this.known;
  }

  get counts(): ClientCounts {
    const connections = this.connections();
    return {
      waiting: this.queue.length,
      inFlight: connections.reduce((sum, { inFlightCount }) => sum + inFlightCount, 0),
      openConnections: connections.filter(({ isOpen }) => isOpen).length,
      strayAnswers: this.strayAnswers,
      resent: this.resent,
    };
  }

  infer<Outputs extends OutputTypes = OutputTypes>(
    model: string,
    inputs: Inputs,
    options: InferOptions = {},
  ): Promise<InferResult<Outputs>> {
    try {
      return this.begin(model, inputs, options) as Promise<InferResult<Outputs>>;
    } catch (error) {
      return Promise.reject(error as InferError);
    }
  }

  ready(): Promise<void> {
    if (this.end !== undefined) return Promise.reject(this.end);
    if (this.queue.length === 0 && this.room() > 0) return Promise.resolve();
    this.lookAgainWhereChoked();
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
    });
  }

  close(): void {
    this.shut(clientError('CLOSED', 'The client was closed'));
  }

  private begin(model: string, inputs: Inputs, options: InferOptions): Promise<InferResult> {
    options.signal?.throwIfAborted();
    if (this.end !== undefined) throw this.end;
    const deadlineMs = options.deadlineMs ?? this.options.deadlineMs;
    checkNumber('deadlineMs', deadlineMs, 0);
    checkNumber('priority', options.priority ?? 0, 0, 255);
    const isIdempotent = options.idempotent ?? this.options.idempotent;
    const target = this.queue.length === 0 ? this.roomiest() : undefined;
    if (target === undefined && this.queue.length >= this.options.maxWaiting) {
      throw clientError(
        'CLIENT_QUEUE_FULL',
        `expected at most ${this.options.maxWaiting} calls to wait; await ready()`,
        {
          retryAfterMs: 1,
        },
      );
    }
    const call = new InferCall(model, inputs, options, Math.ceil(deadlineMs), isIdempotent, this.around);
    if (target === undefined) {
      this.queue.push(call);
      this.watchWaiting(call);
      this.lookAgainWhereChoked();
    } else {
      target.send(call);
    }
    return call.promise;
  }

  // --- what connections tell

  onHello(connection: Connection): void {
    this.known = connection.hello?.models ?? new Map();
    this.settleOpened?.resolve();
    this.settleOpened = undefined;
    this.sendWaiting();
    this.tellState('open');
    this.options.onModels?.(this.known);
  }

  onRoom(_connection: Connection): void {
    this.sendWaiting();
  }

  onStrayAnswer(): void {
    this.strayAnswers += 1;
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
    if (slot === undefined || this.end !== undefined) return;
    slot.connection = undefined;
    if (connection.hasAnswered) slot.failures = 0;
    if (PAUSE_CODES.has(code)) slot.failures = Math.max(slot.failures, FAILURES_OF_PAUSE);
    const isFirst = this.settleOpened !== undefined;
    if (fault !== undefined || isFirst) {
      const why = `code ${code}${reason === '' ? '' : `, ${reason}`}`;
      this.shut(
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

  onSendAgain(call: InferCall, error: InferError): void {
    if (call.isSettled) return;
    if (this.end !== undefined || call.resends >= MOST_RESENDS) {
      call.fail(error);
      return;
    }
    call.resends += 1;
    this.resent += 1;
    this.queue.unshift(call);
    this.watchWaiting(call);
    this.sendWaiting();
  }

  // --- the pool

  private open(slot: Slot): void {
    slot.cancelTimer = undefined;
    slot.connection = new Connection(this.url, this, this.writer, this.around, this.options.connectTimeoutMs);
  }

  private openLater(slot: Slot, delayMs: number): void {
    slot.cancelTimer = this.around.after(delayMs, () => {
      this.open(slot);
    });
    if (this.slots.every(({ connection }) => connection?.isOpen !== true)) this.tellState('reconnecting');
  }

  private slotOf(connection: Connection): Slot | undefined {
    return this.slots.find((slot) => slot.connection === connection);
  }

  private connections(): Connection[] {
    return [...this.slots.flatMap(({ connection }) => connection ?? []), ...this.leaving];
  }

  private room(): number {
    return this.slots.reduce((sum, { connection }) => sum + (connection?.room ?? 0), 0);
  }

  private roomiest(): Connection | undefined {
    let best: Connection | undefined;
    for (const { connection } of this.slots) {
      if (connection === undefined || connection.room === 0) continue;
      if (best === undefined || connection.inFlightCount < best.inFlightCount) best = connection;
    }
    return best;
  }

  // --- the queue

  private watchWaiting(call: InferCall): void {
    call.onGivenUp = () => {
      this.queue.splice(this.queue.indexOf(call), 1);
      this.sendWaiting();
    };
  }

  private sendWaiting(): void {
    while (this.queue.length > 0) {
      const connection = this.roomiest();
      if (connection === undefined) {
        this.lookAgainWhereChoked();
        return;
      }
      connection.send(this.queue.shift()!);
    }
    if (this.waiters.length === 0) return;
    for (const { resolve } of this.waiters.splice(0, this.room())) resolve();
  }

  /** A socket does not tell when its bytes have left. */
  private lookAgainWhereChoked(): void {
    if (
      this.isLookingAgain ||
      !this.slots.some(({ connection }) => connection?.isOpen === true && connection.isChoked)
    )
      return;
    this.isLookingAgain = true;
    this.around.after(CHOKED_LOOK_MS, () => {
      this.isLookingAgain = false;
      this.sendWaiting();
    });
  }

  private shut(error: InferError): void {
    if (this.end !== undefined) return;
    this.end = error;
    for (const slot of this.slots) slot.cancelTimer?.();
    for (const connection of this.connections()) connection.close();
    for (const slot of this.slots) slot.connection = undefined;
    this.leaving.clear();
    for (const call of this.queue.splice(0)) call.fail(error);
    for (const { reject } of this.waiters.splice(0)) reject(error);
    this.settleOpened?.reject(error);
    this.settleOpened = undefined;
    this.tellState('closed');
  }

  private tellState(state: ConnectionState): void {
    if (state === this.state) return;
    this.state = state;
    this.options.onState?.(state);
  }
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
