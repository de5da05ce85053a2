/**
 * A WebSocket without a network: keeps what was sent, write by write, and how it was ended.
 */
import type { Socket } from '../../src/core/socket.js';
import type { Frame } from '../../src/wire/generated/frame.js';
import { readFrame } from './frames.js';

export class PuppetSocket implements Socket {
  unreadBytes = 0;
  /** Frames of each write. */
  readonly writes: Frame[][] = [];
  end: { readonly code: number; readonly reason: string } | undefined;
  isTerminated = false;

  send(messages: readonly Uint8Array[]): void {
    if (this.end !== undefined) throw new Error('something was sent after the end');
    this.writes.push(messages.map((message) => readFrame(message)));
  }

  close(code: number, reason: string): void {
    if (this.end !== undefined) throw new Error('ended twice');
    this.end = { code, reason };
  }

  terminate(): void {
    this.isTerminated = true;
  }

  get last(): Frame {
    return this.writes.at(-1)!.at(-1)!;
  }
}
