/**
 * One request and its one reply as the floors above and below the spine see them, whatever library owns the socket.
 * Lives on the event loop. Bytes in a chunk or a reply are borrowed: they are good during the call that passes them.
 */
import type { VersionEntry } from './snapshot.js';

/** One reply. Header names are lower case. `body` is used before `send` returns, unless there is a `release`. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  /** Value of inference-header-content-length; 0 leaves the header out. */
  readonly headLength: number;
  readonly body: string | Uint8Array;
  /** Where `body` may be kept until this is called; forgotten, the memory is freed with the bytes. */
  readonly release?: (() => void) | undefined;
  /** What follows `body` in a long reply: written piece by piece, other work between. Nobody changes it any more. */
  readonly more?: readonly Uint8Array[] | undefined;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
  /** Closes the connection once the reply is written: the rest of the request is not worth reading. */
  readonly closesConnection?: boolean;
}

/** Valid during `RequestHandler` only. `header` takes a lower-case name and answers '' when absent. */
export interface RequestHead {
  readonly method: string;
  /** Raw path without the query string, not percent-decoded. */
  readonly path: string;
  header(name: string): string;
  /** What stands after the first '?' of the path, not percent-decoded; '' where there is none. */
  query(): string;
  /** Tells that this path will come again and again with POST; whether that makes it cheaper is the transport's affair. */
  remember?(): void;
}

/** Filled in on the way, before the reply is sent. */
export interface RequestWatch {
  target: VersionEntry | undefined;
  /** Microseconds in the order of STAGES; valid until the reply is sent. */
  timesUs: Float32Array | undefined;
}

/** The reply side of one request. After `isClosed` every `send` is ignored. */
export interface Responder {
  readonly isClosed: boolean;
  /** Where somebody wants to know more about this request than its reply. */
  readonly watch?: RequestWatch | undefined;
  send(reply: Reply): void;
}

/** Receives the body. `chunk` is valid during the call only. Exactly one of `isLast` or `aborted` ends it. */
export interface BodySink {
  chunk(chunk: ArrayBuffer, isLast: boolean): void;
  /** The client went away, before or after the whole body came and before the reply was sent. */
  aborted(): void;
}

/** Either replies at once and answers null, or answers the sink for the body. */
export type RequestHandler = (head: RequestHead, responder: Responder) => BodySink | null;
