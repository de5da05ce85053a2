/** An engine as whoever loads models sees it: rare calls only, each with a promise. */
import { ask, type AskedAnswer } from './ask.js';
import type { Engine, ModelHandle } from './engine.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';
import type { ServePlan, StartReport } from '../core/model.js';

export interface EngineLoader {
  open(options: OpenOptions): Promise<OpenedModel>;
  start(handle: ModelHandle, plan: ServePlan, warmUpRows?: number): Promise<StartReport>;
  ask(handle: ModelHandle, headLength: number, body: Uint8Array): Promise<AskedAnswer>;
  close(handle: ModelHandle): Promise<void>;
}

export function loaderOf(engine: Engine): EngineLoader {
  return {
    open: (options) => engine.open(options),
    start: (handle, plan, warmUpRows) => engine.start(handle, plan, warmUpRows),
    ask: (handle, headLength, body) => ask(engine, handle, headLength, body),
    close: (handle) => engine.close(handle),
  };
}
