/**
 * Replies that are made of words: the V2 error body for every row of the error table, JSON answers, and the sink that
 * reads a refused request to its end first, because clients that are still writing would miss an early answer.
 */
import { ERRORS, type ErrorName } from '../core/errors.js';
import type { BodySink, Reply, Responder } from '../core/exchange.js';

export const JSON_TYPE = 'application/json';
export const BINARY_TYPE = 'application/octet-stream';

/** Bytes of a refused body that are read and dropped before the connection is given up instead. */
export const DROP_LIMIT_BYTES = 256 * 1024 * 1024;

const HEADERS_BY_ERROR: Partial<Record<ErrorName, ReadonlyArray<readonly [string, string]>>> = {
  UNSUPPORTED_ENCODING: [['accept-encoding', 'identity']],
  QUEUE_FULL: [['retry-after', '1']],
  DRAINING: [['retry-after', '1']],
  NOT_READY: [['retry-after', '1']],
};

export function jsonReply(
  value: unknown,
  status = 200,
  headers: ReadonlyArray<readonly [string, string]> = [],
): Reply {
  return { status, contentType: JSON_TYPE, headLength: 0, body: JSON.stringify(value), headers };
}

export function errorReply(
  code: ErrorName,
  message: string,
  headers: ReadonlyArray<readonly [string, string]> = HEADERS_BY_ERROR[code] ?? [],
  closesConnection = false,
): Reply {
  return {
    status: ERRORS[code].httpStatus,
    contentType: JSON_TYPE,
    headLength: 0,
    body: JSON.stringify({ error: message }),
    headers,
    closesConnection,
  };
}

/** Drops the body of a refused request, then replies; gives up and closes where the body has no end. */
export class RefusalSink implements BodySink {
  private droppedBytes = 0;

  constructor(
    private readonly responder: Responder,
    private readonly reply: Reply,
  ) {}

  chunk(chunk: ArrayBuffer, isLast: boolean): void {
    this.droppedBytes += chunk.byteLength;
    if (isLast) {
      this.responder.send(this.reply);
    } else if (this.droppedBytes > DROP_LIMIT_BYTES) {
      this.responder.send({ ...this.reply, closesConnection: true });
    }
  }

  aborted(): void {
    // Nothing is held for a refused request.
  }
}
