/**
 * The narrow door to sockets: what an HTTP server library must offer us. Two libraries implement it: uWebSockets.js,
 * and node:http with ws where no uWebSockets.js binary fits. Everything above this file is the same for both.
 */

/** One reply. Header names are lower case. `body` is used before `send` returns. */
export interface Reply {
  readonly status: number;
  readonly contentType: string;
  /** Value of inference-header-content-length; 0 leaves the header out. */
  readonly headLength: number;
  readonly body: string | Uint8Array;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
}

/** Valid during `RequestHandler` only. `header` takes a lower-case name and answers '' when absent. */
export interface RequestHead {
  readonly method: string;
  /** Raw path without the query string, not percent-decoded. */
  readonly path: string;
  header(name: string): string;
}

/** The reply side of one request. After `isClosed` every `send` is ignored. */
export interface Responder {
  readonly isClosed: boolean;
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

export interface Listening {
  readonly port: number;
  /** Stops accepting; open connections go on. */
  stopListening(): void;
  /** Closes every connection. */
  close(): void;
}

export interface Transport {
  readonly name: 'uWebSockets.js' | 'node:http';
  listen(host: string, port: number, handler: RequestHandler): Promise<Listening>;
}
