/**
 * Models as frames name them. A number stands for a model's name from its first hello to the end of the process, and is
 * never given to another; so a request that crosses a hello still means what it meant. Lives on the loop.
 */
import type { Engine } from '../engine/engine.js';
import { FRAME_FLAGS, FRAME_TEXTS } from '../engine/frame-facts.js';
import { InferRoute } from './infer.js';

const { HAS_MODEL, HAS_VERSION } = FRAME_FLAGS;

/** Names that clients made up must not fill the memory. */
const MAX_KNOWN_NAMES = 4096;

export class FrameTargets {
  /** By number, from 1. */
  private readonly routes: Array<InferRoute | undefined> = [undefined];
  private readonly numbers = new Map<string, number>();
  private readonly named = new Map<string, InferRoute>();

  constructor(private readonly engine: Pick<Engine, 'numberFrameModel' | 'frameText'>) {}

  /** The number of a model that the server has. */
  numberOf(modelName: string): number {
    const known = this.numbers.get(modelName);
    if (known !== undefined) return known;
    const number = this.routes.length;
    this.routes.push(new InferRoute(modelName, undefined));
    this.numbers.set(modelName, number);
    this.engine.numberFrameModel(modelName, number);
    return number;
  }

  /** undefined: no hello had this number. */
  private byNumber(number: number): InferRoute | undefined {
    return this.routes[number];
  }

  private byName(modelName: string, version: string | undefined): InferRoute {
    const key = version === undefined ? modelName : `${modelName}\n${version}`;
    const known = this.named.get(key);
    if (known !== undefined) return known;
    if (this.named.size >= MAX_KNOWN_NAMES) this.named.clear();
    const inferRoute = new InferRoute(modelName, version);
    this.named.set(key, inferRoute);
    return inferRoute;
  }

  /** undefined: the frame gives neither a name nor a number that is known, or both. */
  routeOf(bodyId: number, modelNumber: number, flags: number): InferRoute | undefined {
    const { engine } = this;
    const hasName = (flags & HAS_MODEL) !== 0;
    if (hasName === (modelNumber !== 0)) return undefined;
    const byNumber = hasName ? undefined : this.byNumber(modelNumber);
    if ((flags & HAS_VERSION) === 0)
      return hasName ? this.byName(engine.frameText(bodyId, FRAME_TEXTS.MODEL), undefined) : byNumber;
    const modelName = hasName ? engine.frameText(bodyId, FRAME_TEXTS.MODEL) : byNumber?.modelName;
    return modelName === undefined
      ? undefined
      : this.byName(modelName, engine.frameText(bodyId, FRAME_TEXTS.VERSION));
  }
}
