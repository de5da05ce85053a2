/**
 * WebSockets over `ws`, for machines where no uWebSockets.js binary fits. Behaves as the other transport does; slower, because
 * answers are copied: the library may write them later. Lives on one event loop.
 */
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Reply, RequestHead } from '../core/exchange.js';
import type { Socket, SocketCaller, SocketDoor, SocketSink } from '../core/socket.js';
import { CLOSE_CODES } from '../wire/protocol.js';

class NodeSocket implements Socket {
  private isClosing = false;
  /** False between a ping and whatever comes back. */
  hasSpoken = true;

  constructor(
    private readonly socket: WebSocket,
    private readonly stream: Duplex,
  ) {}

  get unreadBytes(): number {
    return this.socket.bufferedAmount;
  }

  send(messages: readonly Uint8Array[]): void {
    if (this.isClosing || this.socket.readyState !== this.socket.OPEN) return;
    this.stream.cork();
    // The library keeps what it could not write at once, and the bytes are ours only now.
    for (const message of messages) this.socket.send(Buffer.from(message), { binary: true, compress: false });
    this.stream.uncork();
  }

  close(code: number, reason: string): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.socket.close(code, reason);
  }

  terminate(): void {
    this.socket.terminate();
  }
}

export interface NodeDoorParts {
  headOf(request: IncomingMessage): RequestHead;
  /** Told about what a session threw; the client gets a close. */
  reportFault(error: unknown): void;
}

/** Answers what closes every socket. */
export function openNodeDoor(server: Server, door: SocketDoor, parts: NodeDoorParts): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: door.longestMessageBytes,
    perMessageDeflate: false,
    // A server without handleProtocols would choose the first one that is offered.
    handleProtocols: () => false,
  });
  const open = new Map<WebSocket, NodeSocket>();
  const newest = new WeakMap<NetSocket, ServerResponse>();
  const note = (request: IncomingMessage, response: ServerResponse): void => {
    newest.set(request.socket, response);
  };
  server.on('request', note);
  server.on('checkContinue', note);
  server.on('upgrade', (request, stream: NetSocket, rest) => {
    stream.on('error', () => undefined);
    const head = parts.headOf(request);
    if (head.path !== door.path || head.header('upgrade').toLowerCase() !== 'websocket') {
      const before = newest.get(stream);
      const again = (): void => {
        readAgain(server, request, stream, rest);
      };
      if (before === undefined || before.writableFinished) again();
      else before.once('finish', again);
      return;
    }
    const answer = door.admit(head);
    if ('refusal' in answer) {
      refuse(stream, answer.refusal);
      return;
    }
    const { caller } = answer;
    sockets.handleUpgrade(request, stream, rest, (webSocket) => {
      open.set(webSocket, serve(webSocket, { stream, caller, door, parts }));
      webSocket.on('close', () => open.delete(webSocket));
    });
  });
  const beat = setInterval(() => {
    for (const [webSocket, socket] of open) {
      if (!socket.hasSpoken) {
        webSocket.terminate();
        continue;
      }
      socket.hasSpoken = false;
      webSocket.ping();
    }
  }, door.idleSeconds * 500);
  beat.unref();
  return () => {
    clearInterval(beat);
    for (const webSocket of open.keys()) webSocket.terminate();
  };
}

interface Opened {
  readonly stream: Duplex;
  readonly caller: SocketCaller;
  readonly door: SocketDoor;
  readonly parts: NodeDoorParts;
}

function serve(webSocket: WebSocket, { stream, caller, door, parts }: Opened): NodeSocket {
  const socket = new NodeSocket(webSocket, stream);
  const sink: SocketSink = door.open(socket, caller);
  stream.on('drain', () => {
    sink.drained();
  });
  webSocket.on('message', (message: Buffer, isBinary) => {
    socket.hasSpoken = true;
    try {
      sink.message(exactBytes(message), isBinary);
    } catch (error) {
      parts.reportFault(error);
      socket.close(CLOSE_CODES.SERVER_FAULT, 'the server failed');
    }
  });
  const heard = (): void => {
    socket.hasSpoken = true;
    sink.heard();
  };
  webSocket.on('pong', heard);
  webSocket.on('ping', heard);
  // A breach of the WebSocket protocol: the library has closed, which is where it is dealt with.
  webSocket.on('error', () => undefined);
  webSocket.on('close', (code) => {
    sink.closed(code);
  });
  return socket;
}

/** A Buffer may be a piece of a larger block; a sink gets the piece alone. */
function exactBytes(message: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = message;
  if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

/** A request to change the protocol may be passed over: without that header it is a request like any other. */
function readAgain(server: Server, request: IncomingMessage, stream: NetSocket, rest: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  stream.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), rest]));
  server.emit('connection', stream);
}

function refuse(stream: NetSocket, reply: Reply): void {
  const body = Buffer.from(reply.body as string);
  const lines = [
    `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? ''}`,
    `content-type: ${reply.contentType}`,
    `content-length: ${body.byteLength}`,
    ...(reply.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ];
  stream.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]));
  // The library has let go of it: nobody else would end it for a client that does not.
  stream.destroySoon();
}
