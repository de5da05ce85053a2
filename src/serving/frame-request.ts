/**
 * A request that came as a frame, from its acceptance to its answer. Sessions take them from a common store and bring them
 * back, so that a request costs no object. Lives on the loop.
 */
import type { ReplySink } from '../engine/engine.js';
import type { FrameTrace } from '../metrics/frame-traces.js';

export interface Asker {
  answered(request: FrameRequest, status: number, bytes: Uint8Array, retryMs: number): void;
}

export class FrameRequest implements ReplySink {
  asker: Asker | undefined = undefined;
  id = 0;
  ticket = -1;
  bytes = 0;
  trace: FrameTrace | undefined = undefined;

  delivered(status: number, bytes: Uint8Array, retryMs: number): void {
    this.asker?.answered(this, status, bytes, retryMs);
  }
}
