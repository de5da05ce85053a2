/**
 * One request to a started version with a promise for its answer: for gates and other rare askers. Requests of clients go
 * through serving. The answer's bytes are the caller's to keep.
 */
import { ERRORS, errorName } from '../core/errors.js';
import type { Engine, ModelHandle } from './engine.js';

export interface AskedAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly headLength: number;
}

/** Resolves with the answer or the refusal; never rejects. */
export function ask(
  engine: Engine,
  handle: ModelHandle,
  headLength: number,
  body: Uint8Array,
): Promise<AskedAnswer> {
  return new Promise((resolve) => {
    const own = new Uint8Array(body).buffer;
    const ticket = engine.submit(handle, headLength, own, 0, 0, {
      delivered: (status, bytes, length) => {
        resolve({ status, bytes: bytes.slice(), headLength: length });
      },
    });
    if (ticket >= 0) return;
    const status = ERRORS[errorName(-ticket)].number;
    resolve({ status, bytes: Buffer.from(engine.lastErrorText()), headLength: 0 });
  });
}
