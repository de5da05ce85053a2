/**
 * A long reply over uWebSockets.js: what its socket does not take at once is kept here, and not by the library, which tells
 * nobody when it is gone. So whoever stops the server knows which replies it would cut off. One of several pieces is written
 * one for each turn of the loop, because copying a megabyte to a socket holds the loop for milliseconds, and no further than
 * the client reads. Belongs to its exchange, which tells it when the client went; from then on, and from the last byte on,
 * the response is not touched.
 */
import type { HttpResponse } from 'uWebSockets.js';

/** Shorter replies fit what the system takes for a socket. */
export const LONG_REPLY_BYTES = 16 * 1024;

/** What a socket is given in one turn of the loop. */
const PIECE_BYTES = 256 * 1024;

/** Views of it, none longer than what is written in one turn. */
export function piecesOf(body: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.byteLength; at += PIECE_BYTES) pieces.push(body.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** Replies of one listener that the system has not taken whole. */
export interface Unsent {
  replies: number;
}

export class LongReply {
  private at = 0;
  /** The last byte was taken, or the client went. */
  private isGone = false;

  private constructor(
    private readonly response: HttpResponse,
    private readonly pieces: readonly Uint8Array[],
    private readonly totalBytes: number,
    private readonly unsent: Unsent,
    /** Bytes before the piece `at`. */
    private writtenBytes: number,
    /** Takes the pieces back: from then on they are empty. */
    private readonly release?: () => void,
  ) {
    unsent.replies += 1;
    response.onWritable(() => this.write());
  }

  /** Inside a cork, once the headers are written. undefined: the socket has taken it all. */
  static ofBody(response: HttpResponse, body: Uint8Array, unsent: Unsent): LongReply | undefined {
    const [, isDone] = response.tryEnd(body, body.byteLength);
    if (isDone) return undefined;
    const takenBytes = response.getWriteOffset();
    // The body is borrowed.
    return new LongReply(response, [body.slice(takenBytes)], body.byteLength, unsent, takenBytes);
  }

  /** The same for pieces that nobody changes any more, or not before `release` is called. */
  static ofPieces(
    response: HttpResponse,
    pieces: readonly Uint8Array[],
    totalBytes: number,
    unsent: Unsent,
    release?: () => void,
  ): LongReply {
    const reply = new LongReply(response, pieces, totalBytes, unsent, 0, release);
    reply.write();
    return reply;
  }

  /** The last byte, or the client. */
  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.unsent.replies -= 1;
    this.release?.();
  }

  /** False: the socket has taken all it can, and calls when it can take more. */
  private write(): boolean {
    const piece = this.pieces[this.at]!;
    const from = this.response.getWriteOffset() - this.writtenBytes;
    const [isTaken, isDone] = this.response.tryEnd(piece.subarray(from), this.totalBytes);
    if (isDone) this.gone();
    if (isDone || !isTaken) return isTaken;
    this.at += 1;
    this.writtenBytes += piece.byteLength;
    setImmediate(() => {
      if (!this.isGone) this.response.cork(() => this.write());
    });
    return true;
  }
}
