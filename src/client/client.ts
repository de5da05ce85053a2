/**
 * The calls of one client: each goes to a connection with room, or waits in a queue for one. Everything happens in callbacks
 * of sockets, timers and callers; no promise is made that nobody awaits.
 */
import type { Connection } from './connection.js';
import { clientError, type InferError } from './errors.js';
import type { InferClient, InferOptions, InferResult, Inputs, ModelInfo, OutputTypes } from './model.js';
import { Pool } from './pool.js';
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

const CHOKED_LOOK_MS = 10;

export class Client implements InferClient {
  /** Resolves with the first hello; rejects where the first connection fails. */
  readonly opened: Promise<void>;
  private settleOpened: { resolve: () => void; reject: (error: InferError) => void } | undefined;
  private readonly options: Required<Omit<ConnectOptions, 'onState' | 'onModels'>> & ConnectOptions;
  private readonly pool: Pool;
  private readonly queue: InferCall[] = [];
  private waiters: { resolve: () => void; reject: (error: InferError) => void }[] = [];
  private known: ReadonlyMap<string, ModelInfo> = new Map();
  private end: InferError | undefined;
  private state: ConnectionState | undefined;
  private isLookingAgain = false;
  private strayAnswers = 0;
  private resent = 0;

  constructor(
    url: string,
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
    this.pool = new Pool(url, this.options, around, {
      onHello: (connection) => {
        this.onHello(connection);
      },
      onRoom: () => {
        this.sendWaiting();
      },
      onNoneOpen: () => {
        this.tellState('reconnecting');
      },
      onSendAgain: (call, error) => {
        this.onSendAgain(call, error);
      },
      onStrayAnswer: () => {
        this.strayAnswers += 1;
      },
      onFailed: (error) => {
        this.shut(error);
      },
    });
  }

  /** What the server last said it serves. */
  get models(): ReadonlyMap<string, ModelInfo> {
    return this.known;
  }

  get counts(): ClientCounts {
    return {
      waiting: this.queue.length,
      inFlight: this.pool.inFlightCount,
      openConnections: this.pool.openCount,
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
    if (this.queue.length === 0 && this.pool.room > 0) return Promise.resolve();
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
    const target = this.queue.length === 0 ? this.pool.roomiest() : undefined;
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

  private onHello(connection: Connection): void {
    this.known = connection.hello?.models ?? new Map();
    this.settleOpened?.resolve();
    this.settleOpened = undefined;
    this.sendWaiting();
    this.tellState('open');
    this.options.onModels?.(this.known);
  }

  private onSendAgain(call: InferCall, error: InferError): void {
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

  private watchWaiting(call: InferCall): void {
    call.onGivenUp = () => {
      this.queue.splice(this.queue.indexOf(call), 1);
      this.sendWaiting();
    };
  }

  private sendWaiting(): void {
    while (this.queue.length > 0) {
      const connection = this.pool.roomiest();
      if (connection === undefined) {
        this.lookAgainWhereChoked();
        return;
      }
      connection.send(this.queue.shift()!);
    }
    if (this.waiters.length === 0) return;
    for (const { resolve } of this.waiters.splice(0, this.pool.room)) resolve();
  }

  /** A socket does not tell when its bytes have left. */
  private lookAgainWhereChoked(): void {
    if (this.isLookingAgain || !this.pool.isChoked) return;
    this.isLookingAgain = true;
    this.around.after(CHOKED_LOOK_MS, () => {
      this.isLookingAgain = false;
      this.sendWaiting();
    });
  }

  private shut(error: InferError): void {
    if (this.end !== undefined) return;
    this.end = error;
    this.pool.close();
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
