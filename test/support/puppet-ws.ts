/**
 * A WebSocket without a network: keeps what was sent, write by write, and how it was ended.
 */
import type { Socket } from '../../src/core/socket.js';
import type { Frame } from '../../src/wire/generated/frame.js';
import { framesIn, readFrame } from './frames.js';

export class PuppetSocket implements Socket {
  unreadBytes = 0;
  /** Frames of each write, and how they were spread over its messages. */
  readonly writes: Frame[][] = [];
  readonly spreads: number[][] = [];
  end: { readonly code: number; readonly reason: string } | undefined;
  isTerminated = false;

  send(messages: readonly Uint8Array[]): void {
    if (this.end !== undefined) throw new Error('something was sent after the end');
    const frames = messages.map(framesIn);
    this.writes.push(frames.flat().map(readFrame));
    this.spreads.push(frames.map(({ length }) => length));
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
