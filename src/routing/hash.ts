/**
 * Numbers that are dealt by a key: the same key gets the same number in every process, for ever, so changing anything here
 * moves users between versions. Pure, and makes no objects. No protection against keys that are made to collide: who chooses
 * their key chooses their side of a split.
 */

/** The last mixing step of MurmurHash3, 32 bits: every bit of the input reaches every bit of the result. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** 32 bits of a text. Different seeds give independent numbers. */
export function hashText(text: string, seed: number): number {
  let h = seed | 0;
  for (let index = 0; index < text.length; index += 1) {
    h = Math.imul(h ^ text.charCodeAt(index), 0x9e3779b1);
    h = (h << 13) | (h >>> 19);
  }
  return mix(h ^ text.length);
}

const TWO_21 = 2 ** 21;
const TWO_53 = 2 ** 53;

/** Two independent 32-bit numbers and two salts to one number strictly between 0 and 1, with 53 bits. */
export function unitNumber(high: number, low: number, highSalt: number, lowSalt: number): number {
  const upper = mix(high ^ highSalt) >>> 0;
  const lower = mix(low ^ lowSalt) >>> 11;
  return (upper * TWO_21 + lower + 0.5) / TWO_53;
}

/** A stream of numbers between 0 and 1 that a seed determines: xorshift128 of Marsaglia. */
export class RandomNumbers {
  private readonly state: Int32Array;

  constructor(seed: string) {
    this.state = Int32Array.of(
      hashText(seed, 1) | 1,
      hashText(seed, 2),
      hashText(seed, 3),
      hashText(seed, 4),
    );
  }

  /** At least 0 and below 1, with 32 bits. */
  next(): number {
    const state = this.state;
    let t = state[0] as number;
    const s = state[3] as number;
    state[0] = state[1] as number;
    state[1] = state[2] as number;
    state[2] = s;
    t ^= t << 11;
    t ^= t >>> 8;
    t = t ^ s ^ (s >>> 19);
    state[3] = t;
    return (t >>> 0) / 4294967296;
  }
}
