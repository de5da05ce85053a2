/**
 * The narrow door to sockets: what an HTTP server library must offer us. Two libraries implement it: uWebSockets.js,
 * and node:http with ws where no uWebSockets.js binary fits. Everything above this file is the same for both.
 */
import type { Reply, RequestHandler } from '../core/exchange.js';
import type { SocketDoor } from '../core/socket.js';

export type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../core/exchange.js';

export interface Listening {
  readonly port: number;
  /** Replies that the system has not taken whole: to close now would cut them off. */
  unsentReplies(): number;
  /** Stops accepting; open connections go on. */
  stopListening(): void;
  /** Closes every connection. */
  close(): void;
}

export interface Transport {
  readonly name: 'uWebSockets.js' | 'node:http';
  /** `door`: takes the WebSockets of its path; without one there are none. */
  listen(host: string, port: number, handler: RequestHandler, door?: SocketDoor): Promise<Listening>;
}

/** Bytes of the whole body. */
export function bodyBytes({ body, more = [] }: Reply): number {
  return more.reduce((sum, piece) => sum + piece.byteLength, Buffer.byteLength(body));
}
