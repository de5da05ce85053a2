/**
 * Lets somebody see requests and their replies as they pass: the door for access log, request ids, Server-Timing and traces.
 * Where nobody wants to see anything, the door is not there at all.
 */
import type {
  BodySink,
  Reply,
  RequestHandler,
  RequestHead,
  RequestWatch,
  Responder,
} from '../core/exchange.js';

/** One request that somebody watches. Exactly one of the two is called. */
export interface Watch extends RequestWatch {
  /** The reply as it is to be sent: it may get headers. */
  replied(reply: Reply): Reply;
  aborted(): void;
}

/** undefined: this request is of no interest. */
export type BeginWatch = (head: RequestHead) => Watch | undefined;

class WatchedResponder implements Responder {
  constructor(
    private readonly inner: Responder,
    readonly watch: Watch,
  ) {}

  get isClosed(): boolean {
    return this.inner.isClosed;
  }

  send(reply: Reply): void {
    if (!this.inner.isClosed) this.inner.send(this.watch.replied(reply));
  }
}

class WatchedSink implements BodySink {
  constructor(
    private readonly inner: BodySink,
    private readonly watch: Watch,
  ) {}

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    this.inner.chunk(chunk, isLast);
  }

  aborted(): void {
    this.inner.aborted();
    this.watch.aborted();
  }
}

export function watched(begin: BeginWatch | undefined, handler: RequestHandler): RequestHandler {
  if (begin === undefined) return handler;
  return (head, responder) => {
    const watch = begin(head);
    if (watch === undefined) return handler(head, responder);
    const sink = handler(head, new WatchedResponder(responder, watch));
    return sink === null ? null : new WatchedSink(sink, watch);
  };
}
