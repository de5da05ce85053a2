/**
 * FP16 and BF16 travel as their bits in a Uint16Array; these turn them into Float32Array and back. Rounding is to the
 * nearest, a tie goes to the even one; NaN stays NaN, what is too large becomes infinite.
 */
const scratch = new DataView(new ArrayBuffer(4));

function float32Bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function halfBits(value: number): number {
  const bits = float32Bits(value);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  const halfExponent = exponent - 127 + 15;
  if (halfExponent >= 31) return sign | 0x7c00;
  if (halfExponent > 0) return sign | roundedShift((halfExponent << 23) | fraction, 13);
  // Too small for a normal number: the hidden bit comes out, and the fraction moves right.
  return halfExponent < -10 ? sign : sign | roundedShift(fraction | 0x800000, 14 - halfExponent);
}

/** `bits >> shift`, to the nearest; a carry out of the fraction moves the exponent by itself. */
function roundedShift(bits: number, shift: number): number {
  const kept = bits >>> shift;
  const rest = bits & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

export function float16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, halfValue);
}

export function float32ToFloat16(values: Float32Array | readonly number[]): Uint16Array {
  return Uint16Array.from(values, halfBits);
}

/** BF16 is the upper half of an FP32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (value) => value * 65_536).buffer);
}

export function float32ToBfloat16(values: Float32Array | readonly number[]): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const bits = float32Bits(value);
    if (Number.isNaN(value)) return (bits >>> 16) | 0x40;
    return (bits + 0x7fff + ((bits >>> 16) & 1)) / 65_536;
  });
}
