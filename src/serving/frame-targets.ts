/**
 * Models as frames name them. A number stands for a model's name from its first hello to the end of the process, and is
 * never given to another; so a request that crosses a hello still means what it meant. Lives on the loop.
 */
import type { Engine } from '../engine/engine.js';
import { InferRoute } from './infer.js';

/** Names that clients made up must not fill the memory. */
const MAX_KNOWN_NAMES = 4096;

export class FrameTargets {
  /** By number, from 1. */
  private readonly routes: Array<InferRoute | undefined> = [undefined];
  private readonly numbers = new Map<string, number>();
  private readonly named = new Map<string, InferRoute>();

  constructor(private readonly engine: Pick<Engine, 'numberFrameModel'>) {}

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
  byNumber(number: number): InferRoute | undefined {
    return this.routes[number];
  }

  byName(modelName: string, version: string | undefined): InferRoute {
    const key = version === undefined ? modelName : `${modelName}\n${version}`;
    const known = this.named.get(key);
    if (known !== undefined) return known;
    if (this.named.size >= MAX_KNOWN_NAMES) this.named.clear();
    const inferRoute = new InferRoute(modelName, version);
    this.named.set(key, inferRoute);
    return inferRoute;
  }
}
