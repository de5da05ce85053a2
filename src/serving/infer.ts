/**
 * The spine of an infer request, from its head to the point where its body begins: target, admission, limits. The
 * exchange goes on from there: receive body, submit, deliver, reply. Lives on the loop; the hot path makes one object
 * per request, no promise, no closure and no string.
 */
import { errorName, type ErrorName } from '../core/errors.js';
import type { BodySink, RequestHead, Responder } from '../core/exchange.js';
import type { Engine } from '../engine/engine.js';
import type { Chooser, Headers, Target } from '../routing/chooser.js';
import type { RouteTable } from '../routing/route-table.js';
import { route } from '../routing/router.js';
import type { Admission } from './admission.js';
import { INT32_MAX, parseDecimal } from './decimal.js';
import { InferExchange } from './infer-exchange.js';
import { DROP_LIMIT_BYTES, engineErrorReply, errorReply, RefusalSink } from './replies.js';

/** A body of this size is under way already: a client that is answered before it is read has no trouble writing it. */
const SMALL_BODY_BYTES = 64 * 1024;

export interface RouteSource {
  readonly table: RouteTable;
}

/** Requests of one key go to one version while traffic is split. */
export const ROUTING_KEY_HEADER = 'sluice-routing-key';

/** What an infer path asks for, with the answer of routing kept as long as the table is the same. */
export class InferRoute {
  private seen: RouteTable | undefined;
  private target: Target | undefined;
  private chooser: Chooser | undefined;
  readonly scope = 'infer';

  constructor(
    readonly modelName: string,
    readonly version: string | undefined,
  ) {}

  /** The target, or undefined where `route` has an error to tell, or nothing is ready for this very request. */
  targetIn(table: RouteTable, headers: Headers): Target | undefined {
    if (this.seen !== table) {
      this.seen = table;
      const answer = route(table, this.modelName, this.version);
      this.target = answer.target;
      this.chooser = answer.target === undefined ? undefined : answer.chooser;
    }
    const { chooser } = this;
    return chooser === undefined ? this.target : chooser.choose(headers, headers.header(ROUTING_KEY_HEADER));
  }
}

/** Says for each request which shadow goes along; 0 for none. */
export interface ShadowChoice {
  next(handle: number, headers: Headers): number;
}

const NO_SHADOWS: ShadowChoice = { next: () => 0 };

export class Infer {
  constructor(
    private readonly engine: Engine,
    private readonly routing: RouteSource,
    private readonly admission: Admission,
    private readonly shadows: ShadowChoice = NO_SHADOWS,
  ) {}

  /** Whether a path is worth remembering: junk names must not push real ones out of a cache. */
  isKnown({ modelName, version }: InferRoute): boolean {
    return route(this.routing.table, modelName, version).target !== undefined;
  }

  begin(inferRoute: InferRoute, head: RequestHead, responder: Responder): BodySink | null {
    const admission = this.admission;
    if (admission.isDraining)
      return this.refuse(responder, 'DRAINING', 'The server is stopping; send the request elsewhere');

    const target = inferRoute.targetIn(this.routing.table, head);
    if (target === undefined) return this.refuseRoute(inferRoute, responder);

    const encoding = head.header('content-encoding');
    if (encoding !== '' && encoding !== 'identity') {
      return this.refuse(
        responder,
        'UNSUPPORTED_ENCODING',
        `Expected no content-encoding, got ${quote(encoding)}`,
      );
    }

    const headLengthText = head.header('inference-header-content-length');
    const headLength = headLengthText === '' ? -1 : parseDecimal(headLengthText, INT32_MAX);
    if (headLength < 0 && headLengthText !== '') {
      return this.refuse(
        responder,
        'BAD_REQUEST',
        `Expected a decimal number up to ${INT32_MAX} for Inference-Header-Content-Length, got ${quote(headLengthText)}`,
      );
    }

    const timeoutText = head.header('sluice-deadline-ms');
    const timeoutMs = timeoutText === '' ? 0 : parseDecimal(timeoutText, INT32_MAX);
    if (timeoutMs < 0 || (timeoutMs === 0 && timeoutText !== '')) {
      return this.refuse(
        responder,
        'BAD_REQUEST',
        `Expected a decimal number from 1 to ${INT32_MAX} for Sluice-Deadline-Ms, got ${quote(timeoutText)}`,
      );
    }

    const limits = admission.limits;
    const limitBytes = headLengthText === '' ? limits.jsonBodyBytes : limits.binaryBodyBytes;
    const contentLengthText = head.header('content-length');
    const contentLength =
      contentLengthText === '' ? 0 : parseDecimal(contentLengthText, Number.MAX_SAFE_INTEGER);
    if (contentLength < 0) {
      return this.refuse(
        responder,
        'BAD_REQUEST',
        `Expected a decimal number for Content-Length, got ${quote(contentLengthText)}`,
      );
    }
    if (headLength > contentLength && contentLengthText !== '') {
      return this.refuse(
        responder,
        'BAD_REQUEST',
        `Expected an Inference-Header-Content-Length within the body of ${contentLength} bytes, got ${headLength}`,
      );
    }
    if (contentLength > limitBytes || headLength > limits.jsonBodyBytes) {
      admission.countRefusal('TOO_LARGE');
      sendTooLarge(responder, contentLength, limitBytes, headLength, limits.jsonBodyBytes);
      return null;
    }
    if (!admission.hasRoomFor(contentLength)) {
      return this.refuse(
        responder,
        'QUEUE_FULL',
        'The bodies of the requests inside are at the limit of their memory; try again',
      );
    }
    if (this.engine.isCrowded && contentLengthText !== '' && contentLength <= SMALL_BODY_BYTES) {
      const refused = this.refuseUnread(target, timeoutMs, responder);
      if (refused) return null;
    }
    admission.enter(contentLength);
    return new InferExchange(
      this.engine,
      admission,
      responder,
      target.version,
      headLength,
      contentLength,
      limitBytes,
      timeoutMs,
      this.shadows.next(target.version.handle, head),
    );
  }

  /** At once and without reading the body: under overload most of the work is refusing. */
  private refuseUnread(target: Target, timeoutMs: number, responder: Responder): boolean {
    const { engine } = this;
    const answer = engine.refuseUnread(target.version.handle, timeoutMs);
    if (answer >= 0) return false;
    if (responder.watch !== undefined) responder.watch.target = target.version;
    responder.send(engineErrorReply(errorName(-answer), engine.lastErrorText(), engine.lastRetryMs()));
    return true;
  }

  private refuse(responder: Responder, code: ErrorName, message: string): BodySink {
    this.admission.countRefusal(code);
    return new RefusalSink(responder, errorReply(code, message));
  }

  private refuseRoute({ modelName, version }: InferRoute, responder: Responder): BodySink {
    const { error, message } = routeError(this.routing.table, modelName, version);
    return this.refuse(responder, error, message);
  }
}

/** Why `targetIn` had no target. */
export function routeError(
  table: RouteTable,
  modelName: string,
  version: string | undefined,
): { readonly error: ErrorName; readonly message: string } {
  const answer = route(table, modelName, version);
  if (answer.target === undefined) return answer;
  const message = `Request for model "${modelName}": no version is ready for requests that no rule of its rollout takes`;
  return { error: 'NOT_READY', message };
}

/** At once, so that a client which waits for a go-ahead never sends the body; a modest rest is read and dropped. */
function sendTooLarge(
  responder: Responder,
  contentLength: number,
  limitBytes: number,
  headLength: number,
  jsonLimitBytes: number,
): void {
  const message =
    contentLength > limitBytes
      ? `Expected a body of at most ${limitBytes} bytes, got ${contentLength}`
      : `Expected a JSON part of at most ${jsonLimitBytes} bytes, got ${headLength}`;
  responder.send(errorReply('TOO_LARGE', message, undefined, contentLength > DROP_LIMIT_BYTES));
}

/** Header text as an error message may show it. */
function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}
