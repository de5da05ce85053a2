/**
 * What a client on a WebSocket is told where a request, or the socket, came to nothing.
 */
import { ERRORS, type ErrorName } from '../core/errors.js';
import { errorFrame } from '../wire/server-frames.js';

/** What a client waits before it tries again where nothing better is known. */
const RETRY_MS: Partial<Record<ErrorName, number>> = {
  QUEUE_FULL: 1000,
  DRAINING: 1000,
  NOT_READY: 1000,
  TOO_MANY_IN_FLIGHT: 1,
};

/** Bytes of a close reason, by the WebSocket protocol. */
const MOST_REASON_BYTES = 123;

/** `retryMs` 0: the engine does not know. */
export function failureFrame(id: number, code: ErrorName, message: string, retryMs: number): Uint8Array {
  return errorFrame(id, ERRORS[code].number, code, message, retryMs > 0 ? retryMs : (RETRY_MS[code] ?? 0));
}

/** What of a text fits a close frame. */
export function closeReason(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MOST_REASON_BYTES) return text;
  let end = MOST_REASON_BYTES;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
