/**
 * What one WebSocket is to be sent, until the end of a delivery. For a client that takes bundles, replies that lie behind each
 * other in the engine's memory become one message without another copy. Lives on the loop.
 */
import type { Socket } from '../core/socket.js';
import { nextRecordAt, RECORD_BYTES } from '../wire/bundles.js';

export class Outgoing {
  takesBundles = false;
  private readonly messages: Uint8Array[] = [];
  /** Of the frames that lie side by side and are no message yet: the first, and where they begin and end. */
  private first: Uint8Array | undefined = undefined;
  private begin = 0;
  private end = 0;

  /** `place`: where the frame lies in the engine's memory; 0: in memory of its own. */
  push(frame: Uint8Array, place: number): void {
    const isNext = this.first !== undefined && place === nextRecordAt(this.end) + RECORD_BYTES;
    if (isNext) {
      this.end = place + frame.length;
      return;
    }
    this.closeBundle();
    if (place === 0 || !this.takesBundles) {
      this.messages.push(frame);
      return;
    }
    this.first = frame;
    this.begin = place - RECORD_BYTES;
    this.end = place + frame.length;
  }

  clear(): void {
    this.messages.length = 0;
    this.first = undefined;
  }

  sendTo(socket: Socket): void {
    this.closeBundle();
    socket.send(this.messages);
    this.clear();
  }

  private closeBundle(): void {
    const { first } = this;
    if (first === undefined) return;
    this.first = undefined;
    const bytes = this.end - this.begin;
    const isOne = bytes === RECORD_BYTES + first.length;
    this.messages.push(isOne ? first : new Uint8Array(first.buffer, this.begin, bytes));
  }
}
