/**
 * The way of an admin request: path, method, body within its limit, JSON, validation, run, answer. Every row of the table
 * goes this one way, so a row cannot forget a check. Lives on the loop; never on the way of an infer request.
 */
import type { Access } from '../../access/access.js';
import { SluiceError } from '../../core/errors.js';
import type { BodySink, Reply, RequestHandler, RequestHead, Responder } from '../../core/exchange.js';
import { problemText } from '../../core/problem.js';
import { errorReply, RefusalSink } from '../../serving/replies.js';
import { refuse } from '../guard.js';
import { methodNotAllowed, notFound } from '../routes.js';
import { KEPT_HEADERS, type AdminCall, type AdminRoute, type KeptHeader } from './route.js';
import { allowOf, type AdminTable } from './table.js';

export interface AdminListenerOptions {
  readonly table: AdminTable;
  readonly access: Access;
  /** Told about what a row threw without meaning to; the client gets a 500. */
  readonly reportFault: (error: unknown) => void;
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i;
const IGNORED: BodySink = { chunk: () => undefined, aborted: () => undefined };

export function adminListener({ table, access, reportFault }: AdminListenerOptions): RequestHandler {
  return (head, responder) => {
    const found = table.find(head.path);
    if (found === undefined) return refuse(head, responder, notFound());
    const route = found.byMethod.get(head.method === 'HEAD' ? 'GET' : head.method);
    if (route === undefined) return refuse(head, responder, methodNotAllowed(allowOf(found)));
    const refusal = typeRefusal(route, head);
    if (refusal !== undefined) return refuse(head, responder, refusal);

    const callerId = access.callerOf(head)?.id ?? 'anonymous';
    const call = new Call(route, found.params, head, callerId, responder, reportFault);
    if (route.method === 'GET') {
      call.run(undefined);
      return responder.isClosed ? null : IGNORED;
    }
    const declaredBytes = Number(head.header('content-length') || 0);
    if (declaredBytes > route.bodyLimitBytes) return refuse(head, responder, tooLarge(route, declaredBytes));
    return new AdminBody(route, responder, (bytes) => {
      call.run(bytes);
    });
  };
}

function tooLarge(route: AdminRoute, bytes: number): Reply {
  return errorReply('TOO_LARGE', `Expected a body of at most ${route.bodyLimitBytes} bytes, got ${bytes}`);
}

/** A page of a browser may post forms and plain text anywhere without asking, JSON only where it is let. */
function typeRefusal(route: AdminRoute, head: RequestHead): Reply | undefined {
  if (route.method === 'GET') return undefined;
  const type = head.header('content-type');
  if (JSON_TYPE.test(type)) return undefined;
  const isFromPage = head.header('origin') !== '' || head.header('sec-fetch-site') !== '';
  if (type === '' && route.mayLackContentType && !isFromPage) return undefined;
  return errorReply(
    'UNSUPPORTED_TYPE',
    `Expected content-type application/json for ${route.method} ${route.path}, got ${type === '' ? 'none' : JSON.stringify(type.slice(0, 64))}`,
  );
}

class Call {
  private readonly headers: Record<KeptHeader, string>;
  private readonly queryText: string;

  constructor(
    private readonly route: AdminRoute,
    private readonly params: Readonly<Record<string, string>>,
    head: RequestHead,
    private readonly callerId: string,
    private readonly responder: Responder,
    private readonly reportFault: (error: unknown) => void,
  ) {
    this.headers = Object.fromEntries(KEPT_HEADERS.map((name) => [name, head.header(name)])) as Record<
      KeptHeader,
      string
    >;
    this.queryText = head.query();
  }

  run(bytes: Buffer | undefined): void {
    try {
      const answer = this.route.run(this.checked(bytes));
      if (!(answer instanceof Promise)) {
        this.responder.send(answer);
        return;
      }
      answer.then(
        (reply) => {
          this.responder.send(reply);
        },
        (error: unknown) => {
          this.responder.send(this.failure(error));
        },
      );
    } catch (error) {
      this.responder.send(this.failure(error));
    }
  }

  private checked(bytes: Buffer | undefined): AdminCall {
    const { params, headers, callerId } = this;
    return { params, headers, callerId, query: this.query(), body: this.body(bytes) };
  }

  private query(): unknown {
    const schema = this.route.query;
    if (schema === undefined) return undefined;
    const given = Object.fromEntries(new URLSearchParams(this.queryText));
    const result = schema.safeParse(given);
    if (result.success) return result.data;
    throw new SluiceError('BAD_REQUEST', problemText(result.error.issues, given, 'query'));
  }

  private body(bytes: Buffer | undefined): unknown {
    const { body: schema, mayLackBody, method, path } = this.route;
    if (bytes === undefined || schema === undefined) return undefined;
    if (bytes.byteLength === 0 && !mayLackBody)
      throw new SluiceError('BAD_REQUEST', `Expected a JSON body for ${method} ${path}, got an empty one`);
    const given = bytes.byteLength === 0 ? {} : parseJson(bytes);
    const result = schema.safeParse(given);
    if (result.success) return result.data;
    throw new SluiceError('BAD_REQUEST', problemText(result.error.issues, given, 'body'));
  }

  private failure(error: unknown): Reply {
    if (error instanceof SluiceError) return errorReply(error.code, error.message);
    this.reportFault(error);
    return errorReply('INTERNAL', 'The server failed to handle this request');
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    throw new SluiceError('BAD_REQUEST', `Expected a body of JSON: ${told}`);
  }
}

/** Collects a body up to its limit; what is over is dropped, and the answer says so. */
class AdminBody implements BodySink {
  private parts: Buffer[] = [];
  private bytes = 0;
  private refusal: RefusalSink | undefined;

  constructor(
    private readonly route: AdminRoute,
    private readonly responder: Responder,
    private readonly done: (bytes: Buffer) => void,
  ) {}

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    this.bytes += chunk.byteLength;
    if (this.refusal === undefined && this.bytes > this.route.bodyLimitBytes) {
      this.parts = [];
      this.refusal = new RefusalSink(this.responder, tooLarge(this.route, this.bytes));
    }
    if (this.refusal !== undefined) {
      this.refusal.chunk(chunk, isLast);
      return;
    }
    if (chunk.byteLength > 0) this.parts.push(Buffer.from(chunk.slice(0)));
    if (isLast) this.done(Buffer.concat(this.parts));
  }

  aborted(): void {
    this.parts = [];
  }
}
