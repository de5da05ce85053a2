/**
 * One WebSocket as the floors above and below the spine see it, whatever library owns it. Lives on the event loop. Bytes in
 * a message or an answer are borrowed: they are good during the call that passes them.
 */
import type { Reply, RequestHead } from './exchange.js';

/** After `close` or `terminate`, and after the sink was told `closed`, every call is ignored. */
export interface Socket {
  /** Bytes that the client has not taken yet. */
  readonly unreadBytes: number;
  /** Binary messages, in order, in as few writes as the socket allows. Nothing is ever left out. */
  send(messages: readonly Uint8Array[]): void;
  /** Says why, and closes when what was sent has been taken. */
  close(code: number, reason: string): void;
  /** Ends the connection without a word. */
  terminate(): void;
}

/** `closed` comes exactly once, whoever ended the connection, and nothing after it. */
export interface SocketSink {
  message(message: ArrayBuffer, isBinary: boolean): void;
  /** A control frame came: the client is there, and not in the middle of a frame. */
  heard(): void;
  /** The client has taken what had to wait. */
  drained(): void;
  closed(code: number): void;
}

/** Who opened a socket. */
export interface SocketCaller {
  /** From then on the socket must end. */
  readonly isRevoked: boolean;
  may(scope: 'infer', modelName: string): boolean;
}

export type Admittance = { readonly caller: SocketCaller } | { readonly refusal: Reply };

/** What serves the sockets of one path. */
export interface SocketDoor {
  readonly path: string;
  /** A longer message ends the connection; a little more than what the door itself refuses with a reason. */
  readonly longestMessageBytes: number;
  /** Silence after which the client is pinged, and given up when it does not answer. */
  readonly idleSeconds: number;
  /** Who may open a socket, or the answer to the upgrade that is refused. */
  admit(head: RequestHead): Admittance;
  open(socket: Socket, caller: SocketCaller): SocketSink;
}
