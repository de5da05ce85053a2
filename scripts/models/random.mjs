/**
 * Owns: seeded random numbers, so that the same models come out byte for byte on every machine.
 * The generator is a 32-bit mix of a counter; good enough for weights, not for secrets.
 */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return function next() {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Values spread evenly over (-limit, limit). */
export function uniformFloats(next, count, limit) {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) values[i] = (next() * 2 - 1) * limit;
  return values;
}
