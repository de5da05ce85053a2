/**
 * One WebSocket from its hello to its end: the requests it has in flight, what it may still ask, and the answers that wait
 * for the end of a delivery. Lives on the loop; the hot path makes no promise, no closure and no string.
 *
 *   OPEN --goodbye--> LEAVING --last answer--> ENDED --closed--> gone
 *     |--breach, slow reader, fault-----------> ENDED
 *
 * The engine owns a message's bytes from `readFrames` on; each request leaves admission exactly once, when it is answered.
 */
import { ERRORS, errorName, type ErrorName } from '../core/errors.js';
import type { Socket, SocketCaller, SocketSink } from '../core/socket.js';
import {
  FRAME_FACT_COUNT,
  FRAME_FACTS,
  FRAME_FLAGS,
  FRAME_IS_BUNDLE,
  FRAME_KINDS,
  FRAME_TEXTS,
} from '../engine/frame-facts.js';
import type { FrameTrace } from '../metrics/frame-traces.js';
import { ALL_ANSWERED, CLOSE_CODES, type CloseReason } from '../wire/protocol.js';
import { goodbyeFrame, type GoodbyeReasonName } from '../wire/server-frames.js';
import { routeError } from './infer.js';
import { FrameRequest, type Asker } from './frame-request.js';
import { textOf } from './replies.js';
import { InFlight } from './in-flight.js';
import type { SessionContext } from './ws-context.js';
import { Outgoing } from './ws-outgoing.js';
import { closeReason, failureFrame } from './ws-failures.js';

/** A close frame may come without a code, which is told as 1005. */
const ORDERLY_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005]);
/** Twice the silence after which the transport asks whether the client is there. */
const UNHEARD_MS_PER_IDLE_S = 2_000;
/** Below every level that a client may ask for lies the background, which is not for clients. */
const LOWEST_PRIORITY = 254;

const { KIND, ID, MODEL_NUMBER, DEADLINE_MS, PRIORITY, FLAGS, BODY, BYTES } = FRAME_FACTS;
const { HAS_TRACEPARENT } = FRAME_FLAGS;

export class WsSession implements SocketSink, Asker {
  private readonly inFlight = new InFlight<FrameRequest>();
  /** Answers of this delivery. */
  private readonly outgoing = new Outgoing();
  private isWaitingToSend = false;
  private isLagging = false;
  /** Since the last look: a whole message, a control frame, or some of the answers taken. */
  private wasHeard = false;
  private heardMs: number;
  private isLeaving = false;
  private isEnded = false;
  /** Of the request that is being begun, where its caller samples it. */
  private trace: FrameTrace | undefined = undefined;
  /** When a leaving or ended socket is cut off. */
  private cutOffMs = Infinity;

  constructor(
    private readonly context: SessionContext,
    private readonly socket: Socket,
    readonly caller: SocketCaller,
    readonly openedMs: number,
  ) {
    this.heardMs = openedMs;
  }

  get unreadBytes(): number {
    return this.socket.unreadBytes;
  }

  message(message: ArrayBuffer, isBinary: boolean): void {
    if (this.isEnded) return;
    this.wasHeard = true;
    const { engine, counts } = this.context;
    counts.messages += 1;
    if (!isBinary) {
      this.end('TEXT_MESSAGE', 'expected binary messages, got text');
      return;
    }
    const bytes = message.byteLength;
    if (bytes > this.context.messageLimitBytes) {
      this.end(
        'TOO_LARGE',
        `expected a message of at most ${this.context.messageLimitBytes} bytes, got ${bytes}`,
      );
      return;
    }
    const frames = engine.readFrames(message);
    if (frames < 0) {
      this.end(frames === -ERRORS.BAD_REQUEST.number ? 'BAD_FRAME' : 'SERVER_FAULT', engine.lastErrorText());
      return;
    }
    const facts = engine.frameFacts;
    if (facts[FRAME_IS_BUNDLE] === 1) this.outgoing.takesBundles = true;
    let next = 0;
    try {
      while (next < frames && !this.isEnded) this.frame(next++ * FRAME_FACT_COUNT);
    } finally {
      // What is left of a message that ended the socket belongs to nobody.
      if (next < frames) this.dropFrom(next, frames);
    }
  }

  private dropFrom(first: number, frames: number): void {
    const { engine } = this.context;
    const facts = engine.frameFacts;
    for (let at = first * FRAME_FACT_COUNT; at < frames * FRAME_FACT_COUNT; at += FRAME_FACT_COUNT)
      if (facts[at + KIND] === FRAME_KINDS.REQUEST) engine.bodyDrop(facts[at + BODY]!);
  }

  /** One frame of a message, whose facts begin at `at`. */
  private frame(at: number): void {
    const { engine, limits } = this.context;
    const facts = engine.frameFacts;
    const id = facts[at + ID]!;
    if (facts[at + KIND] === FRAME_KINDS.REQUEST) {
      const bodyId = facts[at + BODY]!;
      if ((facts[at + FLAGS]! & HAS_TRACEPARENT) !== 0) this.beginTrace(bodyId);
      if (this.inFlight.get(id) !== undefined) {
        this.refuse(bodyId, id, 'DUPLICATE_ID', `expected an id that is not in flight, got ${id} again`);
      } else if (this.inFlight.size >= limits.inFlight) {
        this.refuse(
          bodyId,
          id,
          'TOO_MANY_IN_FLIGHT',
          `expected at most ${limits.inFlight} requests in flight`,
        );
      } else if (this.isLagging) {
        this.refuse(bodyId, id, 'TOO_MANY_IN_FLIGHT', 'answers wait to be read: read them first');
      } else {
        this.begin(at, bodyId, id);
      }
    } else if (facts[at + KIND] === FRAME_KINDS.CANCEL) {
      const request = this.inFlight.get(id);
      if (request !== undefined) engine.cancel(request.ticket);
    } else {
      this.end('NOT_ALLOWED', 'expected a request or a cancel, got a frame that only the server sends');
    }
  }

  heard(): void {
    this.wasHeard = true;
  }

  drained(): void {
    this.wasHeard = true;
    this.noteUnread();
  }

  closed(code: number): void {
    if (!this.isEnded) this.count(ORDERLY_CODES.has(code) ? 'CLIENT_LEFT' : 'LOST');
    this.stop();
    this.context.left(this);
  }

  answered(request: FrameRequest, status: number, bytes: Uint8Array, retryMs: number): void {
    const { context } = this;
    const { id } = request;
    this.inFlight.remove(request);
    context.admission.leave(request.bytes);
    request.asker = undefined;
    if (request.trace !== undefined) {
      request.trace.ended(status === 0 ? undefined : errorName(status), context.engine.deliveredTimesUs());
      request.trace = undefined;
    }
    context.spareRequests.push(request);
    if (this.isEnded) return;
    context.counts.answers += 1;
    if (status === 0) this.outgoing.push(bytes, context.engine.deliveredAt);
    else this.outgoing.push(failureFrame(id, errorName(status), textOf(bytes), retryMs), 0);
    if (this.isWaitingToSend) return;
    this.isWaitingToSend = true;
    context.waitingToSend.push(this);
  }

  /** At the end of a delivery: everything that became ready goes out together. */
  flush(): void {
    this.isWaitingToSend = false;
    if (this.isEnded) return;
    try {
      this.outgoing.sendTo(this.socket);
    } catch (cause) {
      // Kept, they would go out later with the bytes of others.
      this.end('SERVER_FAULT', 'answers could not be sent');
      throw cause;
    }
    this.noteUnread();
    if (this.isLeaving) this.endWhenIdle();
  }

  sendNow(frame: Uint8Array): void {
    if (this.isEnded) return;
    this.outgoing.push(frame, 0);
    this.flush();
  }

  /** No new requests; the socket closes after the last answer, or after `drainMs`. */
  sayGoodbye(reason: GoodbyeReasonName, drainMs: number, reconnectAfterMs: number, nowMs: number): void {
    if (this.isEnded || this.isLeaving) return;
    this.isLeaving = true;
    this.cutOffMs = nowMs + drainMs;
    this.sendNow(goodbyeFrame(reason, drainMs, reconnectAfterMs));
  }

  /** Ends what is over its time. */
  look(nowMs: number): void {
    const { lifetimeMs, drainMs, endingMs, idleSeconds } = this.context.limits;
    if (this.wasHeard) {
      this.wasHeard = false;
      this.heardMs = nowMs;
    }
    if (this.isEnded) {
      // The closing handshake has its time; a client that does not even read that is cut off.
      if (this.cutOffMs === Infinity) this.cutOffMs = nowMs + endingMs;
      else if (nowMs >= this.cutOffMs) this.socket.terminate();
    } else if (this.caller.isRevoked) {
      this.end('NOT_ALLOWED', 'the key is not known any more');
    } else if (nowMs >= this.cutOffMs) {
      this.end('GOING_AWAY', 'the time for the last answers is over');
    } else if (nowMs - this.openedMs >= lifetimeMs) {
      this.sayGoodbye('LIFETIME', drainMs, 0, nowMs);
    } else if (nowMs - this.heardMs >= idleSeconds * UNHEARD_MS_PER_IDLE_S) {
      // Silence is the transport's to end, well before this: bytes have come, and no message became whole.
      this.end('NOT_ALLOWED', `expected a whole message within ${2 * idleSeconds} s`);
    }
  }

  private begin(at: number, bodyId: number, id: number): void {
    const { admission, engine, headers, routing, shadows, spareRequests, targets } = this.context;
    if (this.isLeaving || admission.isDraining) {
      this.refuse(bodyId, id, 'DRAINING', 'the server is stopping, or this socket is: use another');
      return;
    }
    const facts = engine.frameFacts;
    const bytes = facts[at + BYTES]!;
    if (!admission.hasRoomFor(bytes)) {
      this.refuse(
        bodyId,
        id,
        'QUEUE_FULL',
        'the requests inside are at the limit of their memory; try again',
      );
      return;
    }
    const deadlineMs = facts[at + DEADLINE_MS]!;
    const priority = facts[at + PRIORITY]!;
    const inferRoute = targets.routeOf(bodyId, facts[at + MODEL_NUMBER]!, facts[at + FLAGS]!);
    if (inferRoute === undefined) {
      this.refuse(
        bodyId,
        id,
        'BAD_REQUEST',
        'expected either a model_number from the hello or the name of a model',
      );
      return;
    }
    if (!this.caller.may('infer', inferRoute.modelName)) {
      // Whoever guessed a number is told no name.
      const number = facts[at + MODEL_NUMBER]!;
      const model = number === 0 ? `"${inferRoute.modelName}"` : `number ${number}`;
      this.refuse(bodyId, id, 'FORBIDDEN', `the key is not good for model ${model}`);
      return;
    }
    headers.bodyId = bodyId;
    const target = inferRoute.targetIn(routing.table, headers);
    if (target === undefined) {
      const { error, message } = routeError(routing.table, inferRoute.modelName, inferRoute.version);
      this.refuse(bodyId, id, error, message);
      return;
    }
    const request = spareRequests.pop() ?? new FrameRequest();
    const { handle } = target.version;
    request.asker = this;
    request.id = id;
    request.bytes = bytes;
    request.ticket = engine.submitFrame(
      handle,
      bodyId,
      deadlineMs,
      priority > LOWEST_PRIORITY ? LOWEST_PRIORITY : priority,
      shadows.next(handle, headers),
      request,
    );
    if (this.trace !== undefined) {
      this.trace.target = target.version;
      request.trace = this.trace;
      this.trace = undefined;
    }
    this.inFlight.add(request);
    admission.enter(bytes);
  }

  private beginTrace(bodyId: number): void {
    const { engine, traces } = this.context;
    if (traces === undefined) return;
    this.trace = traces.begin(engine.frameText(bodyId, FRAME_TEXTS.TRACEPARENT));
  }

  private refuse(bodyId: number, id: number, code: ErrorName, message: string): void {
    this.context.engine.bodyDrop(bodyId);
    this.context.admission.countRefusal(code);
    this.fail(id, code, message);
  }

  private fail(id: number, code: ErrorName, message: string): void {
    if (this.trace !== undefined) {
      this.trace.ended(code, undefined);
      this.trace = undefined;
    }
    this.context.counts.answers += 1;
    this.sendNow(failureFrame(id, code, message, 0));
  }

  private noteUnread(): void {
    const { unreadBytes } = this.context.limits;
    const unread = this.socket.unreadBytes;
    this.isLagging = unread > unreadBytes / 2;
    if (unread > unreadBytes && !this.isEnded)
      this.end('SLOW_READER', `more than ${unreadBytes} bytes of answers were not read`);
  }

  private endWhenIdle(): void {
    if (this.inFlight.size === 0) this.end('GOING_AWAY', ALL_ANSWERED);
  }

  end(reason: CloseReason, text: string): void {
    if (this.isEnded) return;
    this.count(reason);
    this.stop();
    this.socket.close(CLOSE_CODES[reason], closeReason(text));
  }

  /** Nobody waits for the answers any more. They still come, each to its request. */
  private stop(): void {
    this.isEnded = true;
    this.cutOffMs = Infinity;
    this.outgoing.clear();
    this.inFlight.forEach((request) => {
      this.context.engine.cancel(request.ticket);
    });
  }

  private count(end: CloseReason | 'CLIENT_LEFT' | 'LOST'): void {
    this.context.counts.ends[end] += 1;
  }
}
