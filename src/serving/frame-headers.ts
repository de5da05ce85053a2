/**
 * A request frame as routing sees a request: by headers. Of those a frame has the routing key alone. One object for all
 * frames of the loop, valid while one is being routed; the key becomes a string only where a rollout asks for it.
 */
import type { Engine } from '../engine/engine.js';
import { FRAME_TEXTS } from '../engine/frame-facts.js';
import { ROUTING_KEY_HEADER } from './infer.js';

export class FrameHeaders {
  bodyId = -1;

  constructor(private readonly engine: Engine) {}

  header(name: string): string {
    return name === ROUTING_KEY_HEADER ? this.engine.frameText(this.bodyId, FRAME_TEXTS.ROUTING_KEY) : '';
  }
}
