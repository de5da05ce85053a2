/**
 * Texts that go to uWebSockets.js again and again, as bytes: those it takes as they lie, while of a string it asks the length and
 * then a copy, which for the headers of a small request is a twentieth of all that it costs. One store for the process; what
 * comes when it is full stays a string.
 */
const MOST_TEXTS = 1024;

const known = new Map<string, ArrayBuffer>();

export type UwsText = ArrayBuffer | string;

export function bytesOf(text: string): ArrayBuffer {
  return Uint8Array.from(Buffer.from(text)).buffer;
}

/** For texts of which there are few. */
export function uwsText(text: string): UwsText {
  const bytes = known.get(text);
  if (bytes !== undefined) return bytes;
  if (known.size === MOST_TEXTS) return text;
  const made = bytesOf(text);
  known.set(text, made);
  return made;
}
