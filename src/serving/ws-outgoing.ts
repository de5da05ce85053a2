/**
 * What one WebSocket is to be sent, until the end of a delivery. For a client that takes bundles, replies that lie behind each
 * other in the engine's memory become one message without another copy. Lives on the loop.
 */
import type { Socket } from '../core/socket.js';
import { nextRecordAt, RECORD_BYTES } from '../wire/bundles.js';

export class Outgoing {
  private readonly frames: Uint8Array[] = [];
  /** Where each frame lies in the engine's memory; 0: in memory of its own. */
  private readonly places: number[] = [];
  private readonly messages: Uint8Array[] = [];
  takesBundles = false;

  push(frame: Uint8Array, place: number): void {
    this.frames.push(frame);
    this.places.push(place);
  }

  clear(): void {
    this.frames.length = 0;
    this.places.length = 0;
    this.messages.length = 0;
  }

  sendTo(socket: Socket): void {
    if (this.takesBundles && this.frames.length > 1) {
      this.bundle();
      socket.send(this.messages);
    } else {
      socket.send(this.frames);
    }
    this.clear();
  }

  private bundle(): void {
    const { frames, places, messages } = this;
    let first = 0;
    while (first < frames.length) {
      const frame = frames[first]!;
      const place = places[first]!;
      let end = place + frame.length;
      let next = first + 1;
      while (place !== 0 && next < frames.length && places[next] === nextRecordAt(end) + RECORD_BYTES) {
        end = places[next]! + frames[next]!.length;
        next += 1;
      }
      const begin = place - RECORD_BYTES;
      messages.push(next === first + 1 ? frame : new Uint8Array(frame.buffer, begin, end - begin));
      first = next;
    }
  }
}
