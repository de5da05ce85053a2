/**
 * A weighted split. With a routing key it is sticky, by weighted rendezvous: every arm draws a number from the key, and
 * the arm with the smallest -ln(number)/weight wins. So the shares are exact, nothing is remembered, and when one arm's weight
 * grows against the others', keys move only to that arm. Without a key the arm is drawn at random. Makes no objects.
 */
import { hashText, unitNumber, type RandomNumbers } from './hash.js';

export interface Arm {
  /** What the draw depends on: as long as it is the same, so are the keys of the arm. */
  readonly name: string;
  /** Over 0. */
  readonly weight: number;
}

const HIGH_SEED = 0x51ce5eed;
const LOW_SEED = 0x0ddba11;

export class Split {
  private readonly weights: Float64Array;
  /** Two salts for each arm. */
  private readonly salts: Int32Array;
  private readonly totalWeight: number;

  /** `salt` deals all keys anew when it changes; the model's name is part of it. */
  constructor(arms: readonly Arm[], salt: string) {
    this.weights = Float64Array.from(arms, (arm) => arm.weight);
    this.salts = Int32Array.from(
      arms.flatMap(({ name }) => [hashText(`${salt}/${name}`, 11), hashText(`${salt}/${name}`, 13)]),
    );
    this.totalWeight = this.weights.reduce((sum, weight) => sum + weight, 0);
  }

  /** Index of the key's arm. */
  ofKey(key: string): number {
    const { weights, salts } = this;
    const high = hashText(key, HIGH_SEED);
    const low = hashText(key, LOW_SEED);
    let best = 0;
    let bestScore = Infinity;
    for (let arm = 0; arm < weights.length; arm += 1) {
      const drawn = unitNumber(high, low, salts[2 * arm] as number, salts[2 * arm + 1] as number);
      const score = -Math.log(drawn) / (weights[arm] as number);
      if (score < bestScore) {
        best = arm;
        bestScore = score;
      }
    }
    return best;
  }

  /** Index of the arm of a request without a key. */
  atRandom(random: RandomNumbers): number {
    const { weights } = this;
    let left = random.next() * this.totalWeight;
    const last = weights.length - 1;
    for (let arm = 0; arm < last; arm += 1) {
      left -= weights[arm] as number;
      if (left < 0) return arm;
    }
    return last;
  }
}
