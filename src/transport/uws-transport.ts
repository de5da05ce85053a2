/**
 * HTTP over uWebSockets.js: what listens, and which of its routes a request comes by. Lives on one event loop.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { RequestHandler, RequestHead } from '../core/exchange.js';
import { errorReply } from '../serving/replies.js';
import type { SocketDoor } from '../core/socket.js';
import type { Listening, Transport } from './transport.js';
import { UwsExchange } from './uws-exchange.js';
import type { Unsent } from './uws-long-reply.js';
import { uwsText } from './uws-text.js';
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

/** Paths with a route of their own; the library's router looks at every one of them. */
const MAX_OWN_ROUTES = 64;

/** A path that the library's router takes as it stands: no parameter, no wildcard, no escape. */
const PLAIN_PATH = /^(?:\/[\w.-]+)+$/;

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
    return this.request === undefined ? '' : this.request.getHeader(uwsText(name));
  }

  query(): string {
    return this.request?.getQuery() ?? '';
  }

  remember(): void {
    this.addRoute(this.path);
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
