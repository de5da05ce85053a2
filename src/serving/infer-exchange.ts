/**
 * One infer request from the first byte of its body to its reply: the body's sink and the answer's sink in one object.
 *
 *   RECEIVING --last chunk, submit--> WAITING --delivered--> DONE
 *       |                                |
 *       |--aborted, refused--> DONE      |--aborted--> ABANDONED --delivered--> DONE
 *       |--over a limit--> DROPPING --last chunk, aborted--> DONE
 *
 * Leaves admission exactly once, on the way into DONE. The engine owns the bytes from `submit` on.
 */
import { errorName, type ErrorName } from '../core/errors.js';
import type { BodySink, Responder } from '../core/exchange.js';
import type { VersionEntry } from '../core/snapshot.js';
import type { Engine, ReplySink } from '../engine/engine.js';
import type { Admission } from './admission.js';
import { BINARY_TYPE, engineErrorReply, errorReply, JSON_TYPE, RefusalSink, textOf } from './replies.js';

const RECEIVING = 0;
const DROPPING = 1;
const WAITING = 2;
const ABANDONED = 3;
const DONE = 4;

/** Each non-empty chunk is a call into the engine; a flood of tiny ones is refused. */
export const MAX_CHUNKS = 65_536;

/** `send` uses a reply before it returns, so one object serves every good answer of the loop. */
const goodReply = {
  status: 200,
  contentType: JSON_TYPE,
  headLength: 0,
  body: new Uint8Array(0) as Uint8Array,
  release: undefined as (() => void) | undefined,
};

export class InferExchange implements BodySink, ReplySink {
  private state = RECEIVING;
  private receivedBytes = 0;
  /** What admission counts for this request: the Content-Length, or what has come where there is none. */
  private chargedBytes: number;
  private chunks = 0;
  private bodyId = -1;
  private ticket = -1;
  /** When the first part of a body came that is still incomplete. */
  private firstPartMs = 0;
  private refusal: RefusalSink | undefined = undefined;

  constructor(
    private readonly engine: Engine,
    private readonly admission: Admission,
    private readonly responder: Responder,
    private readonly target: VersionEntry,
    private readonly headLength: number,
    /** 0 where the client did not say. */
    private readonly contentLength: number,
    private readonly limitBytes: number,
    /** What the client has left from the head of its request on; 0 where it did not say. */
    private readonly timeoutMs: number,
    /** The shadow that goes along; 0 for none. */
    private readonly shadow: number,
  ) {
    this.chargedBytes = contentLength;
    // Until the engine has the body, a version that leaves waits for this request.
    target.use.take();
    if (responder.watch !== undefined) responder.watch.target = target;
  }

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.state === DROPPING) {
      this.dropChunk(chunk, isLast);
      return;
    }
    if (this.state !== RECEIVING) return;
    if (!this.takes(chunk, isLast)) return;

    if (this.bodyId >= 0 || !isLast) {
      this.collect(chunk);
      if (!isLast) return;
    }
    this.submit(chunk);
  }

  aborted(): void {
    if (this.state === WAITING) {
      this.state = ABANDONED;
      this.engine.cancel(this.ticket);
    } else if (this.state === RECEIVING) {
      this.dropBody();
      this.target.use.release();
      this.leave();
    } else if (this.state === DROPPING) {
      this.leave();
    }
  }

  delivered(status: number, bytes: Uint8Array, headLength: number): void {
    const mayReply = this.state === WAITING;
    if (!mayReply && this.state !== ABANDONED) return;
    this.leave();
    if (!mayReply) return;
    const { watch } = this.responder;
    if (watch !== undefined) watch.timesUs = this.engine.deliveredTimesUs();
    if (status === 0) {
      goodReply.contentType = headLength > 0 ? BINARY_TYPE : JSON_TYPE;
      goodReply.headLength = headLength;
      goodReply.body = bytes;
      goodReply.release = this.engine.keepDelivered();
      this.responder.send(goodReply);
    } else {
      this.responder.send(engineErrorReply(errorName(status), textOf(bytes), headLength));
    }
  }

  private submit(chunk: ArrayBuffer): void {
    const engine = this.engine;
    this.state = WAITING;
    if (this.shadow !== 0) engine.shadowNext(this.shadow);
    const ticket =
      this.bodyId >= 0
        ? engine.submitBody(this.target.handle, this.headLength, this.bodyId, this.timeLeftMs(), 0, this)
        : engine.submit(this.target.handle, this.headLength, chunk, this.timeLeftMs(), 0, this);
    this.target.use.release();
    if (ticket >= 0) {
      this.ticket = ticket;
      return;
    }
    this.leave();
    this.responder.send(engineErrorReply(errorName(-ticket), engine.lastErrorText(), engine.lastRetryMs()));
  }

  /** A body that came in parts has used up some of the client's time; what is over is left to the engine to tell. */
  private timeLeftMs(): number {
    if (this.timeoutMs === 0 || this.firstPartMs === 0) return this.timeoutMs;
    return Math.max(this.timeoutMs - (performance.now() - this.firstPartMs), 0.001);
  }

  private collect(chunk: ArrayBuffer): void {
    if (chunk.byteLength === 0) return;
    if (this.bodyId < 0) {
      this.bodyId = this.engine.bodyOpen(this.contentLength);
      this.firstPartMs = performance.now();
    }
    this.engine.bodyAppend(this.bodyId, chunk);
  }

  /** Counts the chunk; false where the body went over a limit and is dropped from here on. */
  private takes(chunk: ArrayBuffer, isLast: boolean): boolean {
    const bytes = chunk.byteLength;
    if (bytes > 0) this.chunks += 1;
    this.receivedBytes += bytes;
    const uncharged = this.receivedBytes - this.chargedBytes;
    if (this.receivedBytes > this.limitBytes) {
      this.refuse(
        'TOO_LARGE',
        `Expected a body of at most ${this.limitBytes} bytes, got more`,
        chunk,
        isLast,
      );
    } else if (this.chunks > MAX_CHUNKS) {
      this.refuse('BAD_REQUEST', `Expected a body of at most ${MAX_CHUNKS} chunks, got more`, chunk, isLast);
    } else if (uncharged > 0 && !this.admission.hasRoomFor(uncharged)) {
      this.refuse(
        'QUEUE_FULL',
        'The bodies of the requests inside are at the limit of their memory; try again',
        chunk,
        isLast,
      );
    } else {
      if (uncharged > 0) {
        this.admission.inFlightBytes += uncharged;
        this.chargedBytes = this.receivedBytes;
      }
      return true;
    }
    return false;
  }

  private refuse(code: ErrorName, message: string, chunk: ArrayBuffer, isLast: boolean): void {
    this.dropBody();
    this.target.use.release();
    this.admission.countRefusal(code);
    this.state = DROPPING;
    this.refusal = new RefusalSink(this.responder, errorReply(code, message));
    this.dropChunk(chunk, isLast);
  }

  private dropChunk(chunk: ArrayBuffer, isLast: boolean): void {
    this.refusal?.chunk(chunk, isLast);
    if (isLast || this.responder.isClosed) this.leave();
  }

  private dropBody(): void {
    if (this.bodyId < 0) return;
    this.engine.bodyDrop(this.bodyId);
    this.bodyId = -1;
  }

  private leave(): void {
    this.state = DONE;
    this.admission.leave(this.chargedBytes);
  }
}
