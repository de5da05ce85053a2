/**
 * A bare socket that sends exactly the bytes it is given, and is read one whole thing at a time, whatever that is.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

export class RawSocket {
  /** Only ever written behind `end`, because what was found before lies in it; a fuller one takes its place. */
  private memory = Buffer.alloc(64 * 1024);
  private begin = 0;
  private end = 0;
  private isEnded = false;
  private wake: () => void = () => undefined;

  protected constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.append(bytes);
      this.wake();
    });
    // A reset is one of the ways for a server to end a connection; the end is told by 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isEnded = true;
      this.wake();
    });
  }

  /**
   * What `whole` finds in the bytes that have come, as soon as it finds something, or undefined when the connection ended
   * before. The bytes before `end` are gone then.
   */
  protected async take<Found>(
    whole: (received: Buffer) => { readonly found: Found; readonly end: number } | undefined,
  ): Promise<Found | undefined> {
    for (;;) {
      const taken = whole(this.memory.subarray(this.begin, this.end));
      if (taken !== undefined) {
        this.begin += taken.end;
        return taken.found;
      }
      if (this.isEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private append(bytes: Buffer): void {
    if (this.end + bytes.length > this.memory.length) {
      const left = this.memory.subarray(this.begin, this.end);
      this.memory = Buffer.alloc(Math.max(64 * 1024, 2 * (left.length + bytes.length)));
      left.copy(this.memory);
      this.begin = 0;
      this.end = left.length;
    }
    bytes.copy(this.memory, this.end);
    this.end += bytes.length;
  }

  async closed(): Promise<void> {
    if (!this.isEnded) await once(this.socket, 'close');
  }

  /** Ends with a reset, not with a polite goodbye. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }
}
