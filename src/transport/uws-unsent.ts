/**
 * A long reply that the socket of uWebSockets.js does not take at once: what is left is kept here, and not by the library, which
 * tells nobody when it is gone. So whoever stops the server knows which replies it would cut off. Belongs to its exchange, which
 * tells it when the client went; from then on, and from the last byte on, the response is not touched.
 */
import type { HttpResponse } from 'uWebSockets.js';

/** Shorter replies fit what the system takes for a socket. */
export const LONG_REPLY_BYTES = 16 * 1024;

/** Replies of one listener that the system has not taken whole. */
export interface Unsent {
  replies: number;
}

export class UnsentRest {
  private isGone = false;

  private constructor(private readonly unsent: Unsent) {
    unsent.replies += 1;
  }

  /** Inside a cork, once the headers are written. undefined: the socket has taken it all. */
  static after(response: HttpResponse, body: Uint8Array, unsent: Unsent): UnsentRest | undefined {
    const bytes = body.byteLength;
    const [, isDone] = response.tryEnd(body, bytes);
    if (isDone) return undefined;
    const takenBytes = response.getWriteOffset();
    const left = body.slice(takenBytes);
    const rest = new UnsentRest(unsent);
    response.onWritable((offset) => {
      const [isTaken, isWhole] = response.tryEnd(left.subarray(offset - takenBytes), bytes);
      if (isWhole) rest.gone();
      return isTaken;
    });
    return rest;
  }

  /** The last byte, or the client. */
  gone(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.unsent.replies -= 1;
  }
}
