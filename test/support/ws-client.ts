/**
 * A WebSocket client over the `ws` library for tests: frames out, frames in, one at a time, in the order they came.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Frame } from '../../src/wire/generated/frame.js';
import { framesIn, readFrame } from './frames.js';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export class WsClient {
  private readonly frames: Frame[] = [];
  /** Frames of each message that came. */
  readonly arrivals: number[] = [];
  private wake: () => void = () => undefined;
  private end: Closed | undefined;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (message: Buffer) => {
      const frames = framesIn(message);
      this.arrivals.push(frames.length);
      this.frames.push(...frames.map(readFrame));
      this.wake();
    });
    socket.on('close', (code, reason) => {
      this.end = { code, reason: reason.toString() };
      this.wake();
    });
    socket.on('error', () => undefined);
  }

  static async open(port: number, options: object = {}): Promise<WsClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v2/ws`, options);
    const client = new WsClient(socket);
    await Promise.race([
      once(socket, 'open'),
      once(socket, 'unexpected-response').then(([, response]) => {
        throw new Error(`refused with ${(response as { statusCode: number }).statusCode}`);
      }),
    ]);
    return client;
  }

  send(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** The next frame; throws where the socket has ended. */
  async frame(): Promise<Frame> {
    for (;;) {
      const frame = this.frames.shift();
      if (frame !== undefined) return frame;
      if (this.end !== undefined) throw new Error(`closed with ${this.end.code} ${this.end.reason}`);
      await this.something();
    }
  }

  async closed(): Promise<Closed> {
    while (this.end === undefined) await this.something();
    return this.end;
  }

  close(): void {
    this.socket.close(1000);
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
