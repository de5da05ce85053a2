/**
 * Several frames in one WebSocket message, each behind a record of 16 bytes: its length, the bundle's identifier, zeros. Every
 * record begins at a multiple of 16. Shared by the server and the client; imports nothing.
 */
export const RECORD_BYTES = 16;

const BUNDLE_IDENTIFIER = 0x42554c53; // 'SLUB'

/** Where the next record begins behind something that ends at `end`. */
export function nextRecordAt(end: number): number {
  return (end + RECORD_BYTES - 1) & ~(RECORD_BYTES - 1);
}

function isRecord(view: DataView, at: number): boolean {
  return at + RECORD_BYTES <= view.byteLength && view.getUint32(at + 4, true) === BUNDLE_IDENTIFIER;
}

/**
 * The frames of a message, which may be a single one; undefined where the records of a bundle do not add up. Each frame of a
 * bundle has memory of its own.
 */
export function framesOf(message: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (!isRecord(view, 0)) return [message];
  const frames: Uint8Array[] = [];
  for (let at = 0; at < message.byteLength;) {
    if (!isRecord(view, at)) return undefined;
    const begin = at + RECORD_BYTES;
    const end = begin + view.getUint32(at, true);
    if (end > message.byteLength) return undefined;
    frames.push(message.slice(begin, end));
    at = nextRecordAt(end);
  }
  return frames;
}

/** Collects copies of frames until they leave as one message. The memory is used again for the next. */
export class BundleWriter {
  private bytes = new Uint8Array(1024);
  private end = 0;
  private frames = 0;

  get frameCount(): number {
    return this.frames;
  }

  /** Of the message with another frame of `frameBytes`. */
  bytesWith(frameBytes: number): number {
    return nextRecordAt(this.end) + RECORD_BYTES + frameBytes;
  }

  add(frame: Uint8Array): void {
    const at = nextRecordAt(this.end);
    const end = at + RECORD_BYTES + frame.byteLength;
    if (end > this.bytes.byteLength) {
      const grown = new Uint8Array(nextRecordAt(2 * end));
      grown.set(this.bytes.subarray(0, this.end));
      this.bytes = grown;
    }
    // The memory may hold an earlier bundle.
    this.bytes.fill(0, this.end, at + RECORD_BYTES);
    const view = new DataView(this.bytes.buffer);
    view.setUint32(at, frame.byteLength, true);
    view.setUint32(at + 4, BUNDLE_IDENTIFIER, true);
    this.bytes.set(frame, at + RECORD_BYTES);
    this.end = end;
    this.frames += 1;
  }

  /** The message, good until the next `add`. */
  take(): Uint8Array {
    const message = this.bytes.subarray(0, this.end);
    this.end = 0;
    this.frames = 0;
    return message;
  }
}
