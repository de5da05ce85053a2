/**
 * HTTP over uWebSockets.js. Its rules, each of which ends the process or throws when broken: what has no answer yet when its
 * handler returns has an abort handler; `res` is never touched after an abort or an end; writes are corked; chunks die on return.
 * Lives on one event loop. The library owns sockets and chunks, an exchange lives as long as one request.
 */
import { STATUS_CODES } from 'node:http';
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../core/exchange.js';
import { BINARY_TYPE, errorReply } from '../serving/replies.js';
import type { SocketDoor } from '../core/socket.js';
import { bodyBytes, type Listening, type Transport } from './transport.js';
import { LONG_REPLY_BYTES, LongReply, type Unsent } from './uws-long-reply.js';
import { uwsBehavior, type UpgradeParts, type UwsSocketBehavior } from './uws-sockets.js';

/** What is used of the library; its own types leave out the options of `listen` and differ from package to package. */
export interface Uws {
  App(): {
    any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): void;
    post(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): void;
    ws(pattern: string, behavior: UwsSocketBehavior): void;
    listen(
      host: string,
      port: number,
      options: number,
      listened: (listenSocket: ListenSocket | false) => void,
    ): void;
    close(): void;
  };
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  us_socket_local_port(listenSocket: ListenSocket): number;
  us_listen_socket_close(listenSocket: ListenSocket): void;
}

type ListenSocket = object;

/** Bytes of a request's head; the library's own 4 KiB is less than one long token. */
const MAX_HEAD_BYTES = 16_384;

/** Longer JSON parts of replies are rare, and costly enough for a string of their own. */
const MAX_KNOWN_HEAD_LENGTH = 1024;

/** Paths with a route of their own; the library's router looks at every one of them. */
const MAX_OWN_ROUTES = 64;

/** A path that the library's router takes as it stands: no parameter, no wildcard, no escape. */
const PLAIN_PATH = /^(?:\/[\w.-]+)+$/;

const STATUS_LINES = new Map(
  Object.entries(STATUS_CODES).map(([status, text]) => [Number(status), `${status} ${text}`]),
);

/** The package comes in three shapes: ES module, CommonJS, and a mix of both. */
export async function loadUws(): Promise<Uws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(MAX_HEAD_BYTES);
  const module: unknown = await import('uWebSockets.js');
  return 'App' in (module as object) ? (module as Uws) : (module as { readonly default: Uws }).default;
}

/** One object for all requests: it is valid during the handler only, and handlers do not nest. */
class UwsHead implements RequestHead {
  method = '';
  path = '';
  private request: HttpRequest | undefined;

  constructor(private readonly addRoute: (path: string) => void) {}

  hold(request: HttpRequest, method: string, path: string): this {
    this.request = request;
    this.method = method;
    this.path = path;
    return this;
  }

  release(): void {
    this.request = undefined;
  }

  header(name: string): string {
    return this.request === undefined ? '' : this.request.getHeader(name);
  }

  query(): string {
    return this.request?.getQuery() ?? '';
  }

  remember(): void {
    this.addRoute(this.path);
  }
}

class UwsExchange implements Responder {
  isClosed = false;
  /** Inside the library's own handler, which corks what is written there. */
  isCorked = true;
  sink: BodySink | null = null;
  /** Of a long reply that was sent. */
  rest: LongReply | undefined = undefined;

  constructor(
    readonly response: HttpResponse,
    readonly isHeadRequest: boolean,
    readonly unsent: Unsent,
  ) {}

  send(reply: Reply): void {
    if (this.isClosed) return;
    this.isClosed = true;
    corkedExchange = this;
    corkedReply = reply;
    if (this.isCorked) writeCorked();
    else this.response.cork(writeCorked);
  }

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    if (!this.isClosed && this.sink !== null) this.sink.chunk(chunk, isLast);
  }

  watchAbort(): void {
    this.response.onAborted(() => {
      this.abort();
    });
  }

  abort(): void {
    this.rest?.gone();
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.sink !== null) this.sink.aborted();
  }
}

// `cork` calls back at once, so one function with two variables does what a closure per reply would.
let corkedExchange: UwsExchange;
let corkedReply: Reply;

const BINARY_TYPES: string[] = [];

/**
 * The value of content-type with the line of inference-header-content-length after it: each call into the library costs
 * a fiftieth of a small request, and the few lengths that a model's replies have come again and again.
 */
function typeAndLength(contentType: string, headLength: number): string {
  const known = contentType === BINARY_TYPE ? BINARY_TYPES[headLength] : undefined;
  if (known !== undefined) return known;
  const text = `${contentType}\r\ninference-header-content-length: ${headLength}`;
  if (contentType === BINARY_TYPE && headLength < MAX_KNOWN_HEAD_LENGTH) BINARY_TYPES[headLength] = text;
  return text;
}

type ReplyHeaders = NonNullable<Reply['headers']>;
let latest: { contentType: string; headers: ReplyHeaders; text: string } = {
  contentType: '',
  headers: [],
  text: '',
};

/** The same for further headers. Under overload the same ones come again and again: refusals share theirs. */
function typeAndHeaders(contentType: string, headers: ReplyHeaders): string {
  if (latest.headers !== headers || latest.contentType !== contentType) {
    const lines = headers.map(([name, value]) => `\r\n${name}: ${value}`);
    latest = { contentType, headers, text: contentType + lines.join('') };
  }
  return latest.text;
}

function writeCorked(): void {
  const { response, isHeadRequest } = corkedExchange;
  const { status, contentType, headLength, body, more, headers, closesConnection } = corkedReply;
  if (status !== 200) response.writeStatus(STATUS_LINES.get(status) ?? String(status));
  const type = headLength === 0 ? contentType : typeAndLength(contentType, headLength);
  response.writeHeader('content-type', headers === undefined ? type : typeAndHeaders(type, headers));
  if (isHeadRequest) {
    // Given a length of its own, the library would wait for that many bytes and never end the reply.
    response.writeHeader('content-length', String(bodyBytes(corkedReply)));
    response.endWithoutBody();
  } else if (more !== undefined && more.length > 0) {
    if (corkedExchange.isCorked) corkedExchange.watchAbort();
    const pieces = [Buffer.from(body as string), ...more];
    corkedExchange.rest = LongReply.ofPieces(
      response,
      pieces,
      bodyBytes(corkedReply),
      corkedExchange.unsent,
    );
  } else if (closesConnection === true) {
    response.end(body, true);
  } else if (body.length >= LONG_REPLY_BYTES && typeof body !== 'string') {
    if (corkedExchange.isCorked) corkedExchange.watchAbort();
    corkedExchange.rest = LongReply.ofBody(response, body, corkedExchange.unsent);
  } else {
    response.end(body);
  }
}

export class UwsTransport implements Transport {
  readonly name = 'uWebSockets.js';

  constructor(
    private readonly uws: Uws,
    /** Told about what a handler threw; the client gets a 500. */
    private readonly reportFault: (error: unknown) => void,
  ) {}

  listen(host: string, port: number, handler: RequestHandler, door?: SocketDoor): Promise<Listening> {
    const { uws } = this;
    const app = uws.App();
    const ownRoutes = new Set<string>();
    const unsent: Unsent = { replies: 0 };
    const head = new UwsHead((path) => {
      if (ownRoutes.size === MAX_OWN_ROUTES || ownRoutes.has(path) || !PLAIN_PATH.test(path)) return;
      ownRoutes.add(path);
      // Later, because the library's router is just walking along its routes.
      setImmediate(() => {
        if (isClosed) return;
        app.post(path, (response, request) => {
          this.serve(response, head.hold(request, 'POST', path), handler, unsent);
        });
      });
    });
    let isClosed = false;
    if (door !== undefined) app.ws(door.path, uwsBehavior(door, this.upgradeParts(head, unsent)));
    // Each call into the library that a route of its own saves is a fiftieth of a small request.
    app.post('/*', (response, request) => {
      this.serve(response, head.hold(request, 'POST', request.getUrl()), handler, unsent);
    });
    app.any('/*', (response, request) => {
      const method = request.getCaseSensitiveMethod();
      this.serve(response, head.hold(request, method, request.getUrl()), handler, unsent);
    });
    return new Promise((resolve, reject) => {
      app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (listenSocket) => {
        if (listenSocket === false) {
          app.close();
          reject(
            new Error(
              `Expected to listen on ${host}:${port}, but the port is taken or the address is not ours`,
            ),
          );
          return;
        }
        let isListening = true;
        resolve({
          port: uws.us_socket_local_port(listenSocket),
          unsentReplies: () => unsent.replies,
          stopListening: () => {
            if (isListening) uws.us_listen_socket_close(listenSocket);
            isListening = false;
          },
          close: () => {
            isListening = false;
            isClosed = true;
            app.close();
          },
        });
      });
    });
  }

  private upgradeParts(head: UwsHead, unsent: Unsent): UpgradeParts {
    const { reportFault } = this;
    return {
      headOf: (request) => head.hold(request, 'GET', request.getUrl()),
      release: () => {
        head.release();
      },
      refuse: (response, reply) => {
        new UwsExchange(response, false, unsent).send(reply);
      },
      reportFault,
    };
  }

  private serve(response: HttpResponse, head: UwsHead, handler: RequestHandler, unsent: Unsent): void {
    const exchange = new UwsExchange(response, head.method === 'HEAD', unsent);
    try {
      exchange.sink = handler(head, exchange);
      if (exchange.sink === null && !exchange.isClosed)
        throw new Error('a handler neither replied nor took the body');
    } catch (error) {
      this.fail(exchange, error);
    }
    head.release();
    if (exchange.isClosed) return;
    exchange.isCorked = false;
    exchange.watchAbort();
    response.onData((chunk, isLast) => {
      try {
        exchange.chunk(chunk, isLast);
      } catch (error) {
        this.fail(exchange, error);
      }
    });
  }

  private fail(exchange: UwsExchange, error: unknown): void {
    this.reportFault(error);
    exchange.send(errorReply('INTERNAL', 'The server failed to handle this request'));
  }
}
