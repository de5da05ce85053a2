/**
 * One WebSocket and the calls that are in flight on it. Knows the protocol, not the pool: what a call that has to go elsewhere
 * becomes is told to the owner. A call that was given up keeps its id, and its place in the credit, until its answer comes.
 */
import { ALL_ANSWERED, CLOSE_CODES, PROTOCOL_NUMBER } from '../wire/protocol.js';
import { clientError, InferError } from './errors.js';
import { readFrames, type Hello, type ServerFrame } from './frame-reader.js';
import type { FrameWriter } from './frame-writer.js';
import { encodeInputs } from './inputs.js';
import { Outbox } from './outbox.js';
import type { InferCall } from './request.js';
import type { Socket, Surroundings } from './socket.js';

/** Bytes that may wait inside the socket; more would only be memory. */
const MOST_BUFFERED_BYTES = 4 * 1024 * 1024;
/** A connection that is silent that long, with a call that ran out of time on it, is taken for dead. */
const DEAD_AFTER_MS = 10_000;
/** Applications may close with 1000 and from 3000 on. */
const CLOSE = { done: 1000, badAnswer: 4002, dead: 4006, noHello: 4008 } as const;
/** The server takes what was sent for wrong: sent again, it would be wrong again. */
const BLAMING_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009]);

export interface ConnectionOwner {
  /** A hello came. */
  onHello(connection: Connection): void;
  /** Something was answered, so there is room. */
  onRoom(connection: Connection): void;
  /** No further call may be sent on it; another connection may be opened after that time. */
  onLeaving(connection: Connection, reconnectAfterMs: number): void;
  /** It is gone. `fault` is set where it makes no sense to connect again. */
  onClosed(connection: Connection, code: number, reason: string, fault: InferError | undefined): void;
  /** The call did not run, or may be sent again though it ran. */
  onSendAgain(call: InferCall, error: InferError): void;
  onStrayAnswer(): void;
}

export class Connection {
  hello: Hello | undefined;
  hasAnswered = false;
  private state: 'connecting' | 'open' | 'leaving' | 'closed' = 'connecting';
  private readonly inFlight = new Map<number, InferCall>();
  private credit = 0;
  private lastId = 0;
  private lastHeardMs: number;
  private fault: InferError | undefined;
  private readonly socket: Socket;
  private readonly outbox: Outbox;
  private readonly cancelHelloTimer: () => void;

  constructor(
    url: string,
    private readonly owner: ConnectionOwner,
    private readonly writer: FrameWriter,
    private readonly around: Surroundings,
    connectTimeoutMs: number,
  ) {
    this.lastHeardMs = around.nowMs();
    this.socket = around.openSocket(url, {
      opened: () => undefined,
      message: (data) => {
        this.onMessage(data);
      },
      closed: (code, reason) => {
        this.onClosed(code, reason);
      },
    });
    this.outbox = new Outbox(this.socket);
    this.cancelHelloTimer = around.after(connectTimeoutMs, () => {
      this.end(CLOSE.noHello, `no hello within ${connectTimeoutMs} ms`);
    });
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  private get isClosed(): boolean {
    return this.state === 'closed';
  }

  get inFlightCount(): number {
    return this.inFlight.size;
  }

  /** Calls that could be sent at once. */
  get room(): number {
    return this.state === 'open' && !this.isChoked ? Math.max(0, this.credit - this.inFlight.size) : 0;
  }

  /** What was sent has not left: nothing will tell when it does. */
  get isChoked(): boolean {
    return this.socket.bufferedAmount > MOST_BUFFERED_BYTES;
  }

  /** Only where there is room. A call that cannot be written fails here. */
  send(call: InferCall): void {
    const { hello } = this;
    if (hello === undefined) return;
    const id = this.freeId();
    try {
      const model = hello.models.get(call.model);
      const inputs = encodeInputs(call.inputs, model, call.options);
      const { options } = call;
      const modelNumber = model?.number ?? 0;
      const header = { id, model: call.model, modelNumber, deadlineMs: call.leftMs(), options };
      const bytes = this.writer.writeRequest(header, inputs);
      if (hello.maxMessageBytes > 0 && bytes.byteLength > hello.maxMessageBytes) {
        const message = `expected a request of at most ${hello.maxMessageBytes} bytes, got ${bytes.byteLength}`;
        throw new InferError('TOO_LARGE', message);
      }
      this.inFlight.set(id, call);
      call.mayHaveRun = true;
      call.onGivenUp = () => {
        this.onGivenUp(id);
      };
      this.outbox.post(bytes);
    } catch (error) {
      this.inFlight.delete(id);
      call.fail(error);
    }
  }

  /** Fails everything in flight and closes. */
  close(): void {
    this.state = 'closed';
    this.outbox.close();
    this.cancelHelloTimer();
    this.failAll(() => clientError('CLOSED', 'The client was closed', { mayHaveRun: true }));
    this.socket.close(CLOSE.done, '');
  }

  private freeId(): number {
    do this.lastId = this.lastId === 0xffff_ffff ? 1 : this.lastId + 1;
    while (this.inFlight.has(this.lastId));
    return this.lastId;
  }

  private onGivenUp(id: number): void {
    if (this.state === 'closed' || !this.inFlight.has(id)) return;
    if (this.around.nowMs() - this.lastHeardMs > DEAD_AFTER_MS) this.end(CLOSE.dead, 'silent');
    else this.outbox.post(this.writer.writeCancel(id));
  }

  private onMessage(data: ArrayBuffer | string): void {
    if (this.state === 'closed') return;
    this.lastHeardMs = this.around.nowMs();
    let frames: ServerFrame[];
    try {
      if (typeof data === 'string')
        throw clientError('BAD_ANSWER', 'expected a frame from the server, got text');
      frames = readFrames(new Uint8Array(data));
    } catch (error) {
      this.fault = error as InferError;
      this.end(CLOSE.badAnswer, 'not a frame');
      return;
    }
    for (const frame of frames) if (!this.isClosed) this.onFrame(frame);
  }

  private onFrame(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'response':
        this.hasAnswered = true;
        this.take(frame.id)?.succeed(frame.result);
        break;
      case 'error':
        this.onError(frame.id, frame.error);
        break;
      case 'hello':
        this.onHello(frame);
        return;
      case 'goodbye':
        this.leave(frame.reconnectAfterMs);
        return;
      case 'unknown':
        return;
    }
    if (this.state === 'leaving' && this.inFlight.size === 0) this.end(CLOSE.done, '');
    else this.owner.onRoom(this);
  }

  private take(id: number): InferCall | undefined {
    const call = this.inFlight.get(id);
    if (call === undefined) {
      this.owner.onStrayAnswer();
      return undefined;
    }
    this.inFlight.delete(id);
    call.onGivenUp = undefined;
    return call;
  }

  private onError(id: number, error: InferError): void {
    const call = this.take(id);
    if (call === undefined) return;
    // The server counts otherwise than its hello said: stay below what it showed.
    if (error.code === 'TOO_MANY_IN_FLIGHT') this.credit = Math.max(1, this.inFlight.size);
    if (error.code === 'DRAINING') this.leave(error.retryAfterMs);
    if (error.code !== 'TOO_MANY_IN_FLIGHT' && error.code !== 'DRAINING') {
      call.fail(error);
      return;
    }
    call.mayHaveRun = false;
    this.owner.onSendAgain(call, error);
  }

  private onHello(hello: Hello): void {
    if (hello.protocol !== PROTOCOL_NUMBER) {
      const message = `expected a server of protocol ${PROTOCOL_NUMBER}, got ${hello.protocol}`;
      this.fault = clientError('UNSUPPORTED_PROTOCOL', message);
      this.end(CLOSE.badAnswer, 'protocol');
      return;
    }
    this.hello = hello;
    this.outbox.setLimits(hello.maxBundleFrames, hello.maxMessageBytes);
    this.credit = Math.max(1, hello.maxInFlight);
    this.cancelHelloTimer();
    if (this.state === 'connecting') this.state = 'open';
    this.owner.onHello(this);
  }

  private leave(reconnectAfterMs: number): void {
    if (this.state === 'leaving' || this.state === 'closed') return;
    this.state = 'leaving';
    this.owner.onLeaving(this, reconnectAfterMs);
    if (this.inFlight.size === 0) this.end(CLOSE.done, '');
  }

  /** Closes, and does not wait for the other side to agree: it may be gone. */
  private end(code: number, reason: string): void {
    this.socket.close(code, reason);
    this.onClosed(code, reason);
  }

  private onClosed(code: number, reason: string): void {
    if (this.state === 'closed') return;
    const isUnread = this.state === 'leaving' && code === CLOSE_CODES.GOING_AWAY && reason === ALL_ANSWERED;
    this.state = 'closed';
    this.outbox.close();
    this.cancelHelloTimer();
    const isBlamed = BLAMING_CODES.has(code);
    const why = `code ${code}${reason === '' ? '' : `, ${reason}`}`;
    const message = `The connection ended before the answer came (${why})`;
    const calls = [...this.inFlight.values()];
    this.inFlight.clear();
    const { fault } = this;
    this.owner.onClosed(this, code, reason, fault?.code === 'UNSUPPORTED_PROTOCOL' ? fault : undefined);
    for (const call of calls) {
      call.onGivenUp = undefined;
      if (isUnread) call.mayHaveRun = false;
      const error = clientError('CONNECTION_LOST', message, { mayHaveRun: call.mayHaveRun, cause: fault });
      if (isUnread || (call.isIdempotent && !isBlamed)) this.owner.onSendAgain(call, error);
      else call.fail(error);
    }
  }

  private failAll(errorFor: () => InferError): void {
    const calls = [...this.inFlight.values()];
    this.inFlight.clear();
    for (const call of calls) {
      call.onGivenUp = undefined;
      call.fail(errorFor());
    }
  }
}
