/**
 * HTTP over node:http, for machines where no uWebSockets.js binary fits. Behaves as the other transport does; slower,
 * because chunks and replies are copied. Lives on one event loop.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../core/exchange.js';
import { errorReply } from '../serving/replies.js';
import type { SocketDoor } from '../core/socket.js';
import { openNodeDoor } from './node-sockets.js';
import { bodyBytes, type Listening, type Transport } from './transport.js';

const MAX_HEAD_BYTES = 16_384;
const KEEP_ALIVE_MS = 60_000;

class NodeHead implements RequestHead {
  readonly method: string;
  readonly path: string;

  constructor(private readonly request: IncomingMessage) {
    this.method = request.method ?? '';
    const url = request.url ?? '';
    const queryAt = url.indexOf('?');
    this.path = queryAt < 0 ? url : url.slice(0, queryAt);
  }

  header(name: string): string {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : (value?.join(', ') ?? '');
  }

  query(): string {
    const url = this.request.url ?? '';
    const queryAt = url.indexOf('?');
    return queryAt < 0 ? '' : url.slice(queryAt + 1);
  }
}

class NodeExchange implements Responder {
  isClosed = false;
  private sink: BodySink | null = null;
  private missingBytes: number;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    private readonly reportFault: (error: unknown) => void,
    /** Its reply, until the system has taken it whole. */
    private readonly unsent: Set<NodeExchange>,
  ) {
    this.missingBytes = Number(request.headers['content-length'] ?? -1);
  }

  send(reply: Reply): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const body = bodyToKeep(reply);
    const headers: Record<string, string | number> = {
      'content-type': reply.contentType,
      'content-length': bodyBytes(reply),
    };
    if (reply.headLength > 0) headers['inference-header-content-length'] = reply.headLength;
    for (const [name, value] of reply.headers ?? []) headers[name] = value;
    if (reply.closesConnection === true) headers['connection'] = 'close';
    this.unsent.add(this);
    this.response.writeHead(reply.status, headers);
    if (reply.more === undefined) {
      this.response.end(body);
    } else {
      Readable.from([body, ...reply.more]).pipe(this.response);
    }
  }

  receive(sink: BodySink): void {
    this.sink = sink;
    const { request } = this;
    request.on('data', (chunk: Buffer) => {
      this.missingBytes -= chunk.byteLength;
      this.pass(exactBytes(chunk), this.missingBytes === 0);
    });
    request.on('end', () => {
      if (this.missingBytes !== 0 || this.isWithoutBody()) this.pass(new ArrayBuffer(0), true);
    });
  }

  /** The reply is sent whole, or the client is gone. */
  ended(): void {
    this.unsent.delete(this);
    if (this.isClosed) return;
    this.isClosed = true;
    this.sink?.aborted();
  }

  fail(error: unknown): void {
    this.reportFault(error);
    this.send(errorReply('INTERNAL', 'The server failed to handle this request'));
  }

  private isWithoutBody(): boolean {
    return this.request.headers['content-length'] === '0';
  }

  private pass(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.isClosed || this.sink === null) return;
    try {
      this.sink.chunk(chunk, isLast);
    } catch (error) {
      this.fail(error);
    }
  }
}

/** The socket may write later, and mostly the bytes are ours only now. */
function bodyToKeep({ body, release }: Reply): Uint8Array {
  return release === undefined || typeof body === 'string' ? Buffer.from(body as string) : body;
}

/** A Buffer may be a piece of a larger block; a sink gets the piece alone. */
function exactBytes(chunk: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = chunk;
  if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

export class NodeTransport implements Transport {
  readonly name = 'node:http';

  constructor(
    /** Told about what a handler threw; the client gets a 500. */
    private readonly reportFault: (error: unknown) => void,
  ) {}

  listen(host: string, port: number, handler: RequestHandler, door?: SocketDoor): Promise<Listening> {
    const unsent = new Set<NodeExchange>();
    const server = createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    });
    server.on('request', (request, response) => {
      this.serve(new NodeExchange(request, response, this.reportFault, unsent), handler, false);
    });
    server.on('checkContinue', (request, response) => {
      this.serve(new NodeExchange(request, response, this.reportFault, unsent), handler, true);
    });
    const closeSockets =
      door === undefined
        ? () => undefined
        : openNodeDoor(server, door, {
            headOf: (request) => new NodeHead(request),
            reportFault: this.reportFault,
          });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve({
          port: (server.address() as AddressInfo).port,
          unsentReplies: () => unsent.size,
          // The http server's own close would also end idle connections, which may still ask and be told to go away.
          stopListening: () => {
            NetServer.prototype.close.call(server);
          },
          close: () => {
            closeSockets();
            closeAll(server);
          },
        });
      });
    });
  }

  private serve(exchange: NodeExchange, handler: RequestHandler, waitsForGoAhead: boolean): void {
    const { request, response } = exchange;
    response.on('close', () => {
      exchange.ended();
    });
    // A broken connection also ends the response, which is where it is dealt with.
    request.on('error', () => undefined);
    try {
      const sink = handler(new NodeHead(request), exchange);
      if (exchange.isClosed) return;
      if (sink === null) throw new Error('a handler neither replied nor took the body');
      if (waitsForGoAhead) response.writeContinue();
      exchange.receive(sink);
    } catch (error) {
      exchange.fail(error);
    }
  }
}

function closeAll(server: Server): void {
  server.close();
  server.closeAllConnections();
}
