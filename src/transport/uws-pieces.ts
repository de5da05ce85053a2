/**
 * The body of a long reply over uWebSockets.js, written piece by piece: one for each turn of the loop, because copying a
 * megabyte to a socket holds the loop for milliseconds, and no further than the client reads. Belongs to its exchange, which
 * tells it when the client went; from then on, and from the last byte on, the response is not touched.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { Unsent } from './uws-unsent.js';

export class PieceWriter {
  private at = 0;
  /** Bytes of the pieces before `at`. */
  private written = 0;
  /** The last byte was taken, or the client went. */
  private isGone = false;

  constructor(
    private readonly response: HttpResponse,
    private readonly pieces: readonly Uint8Array[],
    private readonly totalBytes: number,
    private readonly unsent: Unsent,
  ) {}

  /** Inside a cork, once the headers are written. */
  begin(): void {
    this.unsent.replies += 1;
    this.response.onWritable(() => this.write());
    this.write();
  }

  /** The last byte, or the client. */
  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.unsent.replies -= 1;
  }

  /** False: the socket has taken all it can, and calls when it can take more. */
  private write(): boolean {
    const piece = this.pieces[this.at]!;
    const from = this.response.getWriteOffset() - this.written;
    const [isTaken, isDone] = this.response.tryEnd(piece.subarray(from), this.totalBytes);
    if (isDone) this.gone();
    if (isDone || !isTaken) return isTaken;
    this.at += 1;
    this.written += piece.byteLength;
    setImmediate(() => {
      if (!this.isGone) this.response.cork(() => this.write());
    });
    return true;
  }
}
