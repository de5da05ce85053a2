/**
 * Strict decimal numbers of headers: digits only. `Number()` would take `0x10`, `1e3`, ` 7` and ``.
 */
export const INT32_MAX = 2_147_483_647;

/** -1 for anything but digits, and for numbers above `max`. */
export function parseDecimal(text: string, max: number): number {
  const length = text.length;
  if (length === 0) return -1;
  let value = 0;
  for (let index = 0; index < length; index += 1) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > max) return -1;
  }
  return value;
}
