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

const AGAIN_SOON = [['retry-after', '1']] as const;
const HEADERS_BY_ERROR: Partial<Record<ErrorName, ReadonlyArray<readonly [string, string]>>> = {
  UNSUPPORTED_ENCODING: [['accept-encoding', 'identity']],
  QUEUE_FULL: AGAIN_SOON,
  DRAINING: AGAIN_SOON,
  NOT_READY: AGAIN_SOON,
};

/** An error message as the engine delivers it. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

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

let latest = { code: 'INTERNAL' as ErrorName, message: '', seconds: 0, reply: errorReply('INTERNAL', '') };

/**
 * An error of the engine, which may know when another try has better chances; 0 ms: it does not. Under overload the same
 * one is given many times in a row, and is then made once.
 */
export function engineErrorReply(code: ErrorName, message: string, retryAfterMs: number): Reply {
  const seconds = Math.ceil(retryAfterMs / 1000);
  if (latest.code === code && latest.seconds === seconds && latest.message === message) return latest.reply;
  const isLater = seconds > 1 && HEADERS_BY_ERROR[code] === AGAIN_SOON;
  const headers: Reply['headers'] = isLater ? [['retry-after', String(seconds)]] : undefined;
  latest = { code, message, seconds, reply: errorReply(code, message, headers) };
  return latest.reply;
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
