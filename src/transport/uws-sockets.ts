/**
 * WebSockets over uWebSockets.js. Its rules: a socket is never touched after its close handler ran; a message dies on return;
 * many sends share a write inside `cork` only. Its own back-pressure limit is off, because it would leave messages out
 * silently; the session looks at what is unread instead. Lives on one event loop.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { Reply, RequestHead } from '../core/exchange.js';
import type { Socket, SocketCaller, SocketDoor, SocketSink } from '../core/socket.js';
import { CLOSE_CODES } from '../wire/protocol.js';

/** What is used of a WebSocket of the library. */
export interface UwsWebSocket {
  /** Some releases copy the members of what was given to `upgrade`, so it holds ours and nothing else. */
  getUserData(): { readonly socket: UwsSocket };
  getBufferedAmount(): number;
  cork(write: () => void): unknown;
  send(message: Uint8Array, isBinary: boolean, isCompressed: boolean): number;
  end(code: number, reason: string): void;
  close(): void;
}

export interface UwsSocketBehavior {
  readonly maxPayloadLength: number;
  readonly maxBackpressure: number;
  readonly idleTimeout: number;
  readonly sendPingsAutomatically: boolean;
  upgrade(response: HttpResponse, request: HttpRequest, context: object): void;
  open(socket: UwsWebSocket): void;
  message(socket: UwsWebSocket, message: ArrayBuffer, isBinary: boolean): void;
  ping(socket: UwsWebSocket): void;
  pong(socket: UwsWebSocket): void;
  drain(socket: UwsWebSocket): void;
  close(socket: UwsWebSocket, code: number): void;
}

class UwsSocket implements Socket {
  private socket: UwsWebSocket | undefined;
  private isClosing = false;
  sink: SocketSink | undefined;

  constructor(readonly caller: SocketCaller) {}

  hold(socket: UwsWebSocket): void {
    this.socket = socket;
  }

  get unreadBytes(): number {
    return this.socket === undefined ? 0 : this.socket.getBufferedAmount();
  }

  send(messages: readonly Uint8Array[]): void {
    if (this.socket === undefined || this.isClosing) return;
    if (messages.length === 1) {
      this.socket.send(messages[0]!, true, false);
      return;
    }
    corkedSocket = this.socket;
    corkedMessages = messages;
    this.socket.cork(sendCorked);
  }

  close(code: number, reason: string): void {
    if (this.socket === undefined || this.isClosing) return;
    this.isClosing = true;
    this.socket.end(code, reason);
  }

  terminate(): void {
    this.socket?.close();
  }

  ended(code: number): void {
    this.socket = undefined;
    this.sink?.closed(code);
  }
}

// `cork` calls back at once, so one function with two variables does what a closure per delivery would.
let corkedSocket: UwsWebSocket;
let corkedMessages: readonly Uint8Array[];

function sendCorked(): void {
  for (let index = 0; index < corkedMessages.length; index += 1)
    corkedSocket.send(corkedMessages[index]!, true, false);
}

/** `headOf` is valid until `release`; `refuse` sends a reply at once. */
export interface UpgradeParts {
  headOf(request: HttpRequest): RequestHead;
  release(): void;
  refuse(response: HttpResponse, reply: Reply): void;
  /** Told about what a session threw; the client gets a close. */
  reportFault(error: unknown): void;
}

function heard(ws: UwsWebSocket): void {
  ws.getUserData().socket.sink?.heard();
}

export function uwsBehavior(door: SocketDoor, parts: UpgradeParts): UwsSocketBehavior {
  return {
    maxPayloadLength: door.longestMessageBytes,
    maxBackpressure: 0,
    idleTimeout: door.idleSeconds,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => {
      const answer = door.admit(parts.headOf(request));
      if ('caller' in answer) {
        response.upgrade(
          { socket: new UwsSocket(answer.caller) },
          request.getHeader('sec-websocket-key'),
          '',
          request.getHeader('sec-websocket-extensions'),
          context as Parameters<HttpResponse['upgrade']>[4],
        );
      } else {
        parts.refuse(response, answer.refusal);
      }
      parts.release();
    },
    open: (ws) => {
      const { socket } = ws.getUserData();
      socket.hold(ws);
      socket.sink = door.open(socket, socket.caller);
    },
    message: (ws, message, isBinary) => {
      const { socket } = ws.getUserData();
      try {
        socket.sink!.message(message, isBinary);
      } catch (error) {
        parts.reportFault(error);
        socket.close(CLOSE_CODES.SERVER_FAULT, 'the server failed');
      }
    },
    ping: heard,
    pong: heard,
    drain: (ws) => {
      ws.getUserData().socket.sink?.drained();
    },
    close: (ws, code) => {
      ws.getUserData().socket.ended(code);
    },
  };
}
