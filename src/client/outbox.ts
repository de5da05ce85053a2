/**
 * The way of frames into one socket. Where the server takes bundles, the frames of one turn of the event loop leave as one
 * message: a message costs both sides more than a small frame does.
 */
import { BundleWriter, RECORD_BYTES } from '../wire/bundles.js';
import type { Socket } from './socket.js';

/** A longer frame goes alone: copying it would cost more than its message. */
const MOST_COPIED_BYTES = 16 * 1024;
const MOST_BUNDLE_BYTES = 64 * 1024;

export class Outbox {
  private readonly bundle = new BundleWriter();
  private mostFrames = 0;
  private mostBytes = 0;
  private isClosed = false;

  constructor(private readonly socket: Socket) {}

  /** What the hello says: `mostFrames` 0 for no bundles, `mostBytes` of a message. */
  setLimits(mostFrames: number, mostBytes: number): void {
    this.mostFrames = mostFrames;
    this.mostBytes = Math.min(MOST_BUNDLE_BYTES, mostBytes > 0 ? mostBytes : MOST_BUNDLE_BYTES);
  }

  /** The bytes are copied before it returns. Frames leave in the order in which they come. */
  post(frame: Uint8Array): void {
    const { bundle } = this;
    const bytes = frame.byteLength;
    const isAlone =
      this.mostFrames === 0 || bytes > MOST_COPIED_BYTES || RECORD_BYTES + bytes > this.mostBytes;
    if (isAlone || bundle.frameCount === this.mostFrames || bundle.bytesWith(bytes) > this.mostBytes)
      this.flush();
    if (isAlone) {
      this.socket.send(frame);
      return;
    }
    bundle.add(frame);
    if (bundle.frameCount > 1) return;
    queueMicrotask(() => {
      this.flush();
    });
  }

  /** What has not left is dropped. */
  close(): void {
    this.isClosed = true;
  }

  private flush(): void {
    if (this.bundle.frameCount === 0) return;
    const message = this.bundle.take();
    if (!this.isClosed) this.socket.send(message);
  }
}
