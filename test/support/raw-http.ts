/**
 * An HTTP/1.1 client over a bare socket that sends exactly the bytes it is given and reads replies one by one, for
 * tests in which the framing itself is the point.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export class RawClient {
  private received = Buffer.alloc(0);
  private isEnded = false;
  private wake: () => void = () => undefined;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.wake();
    });
    // A reset is one of the ways for a server to end a connection; `isClosed` tells.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isEnded = true;
      this.wake();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** One TCP segment per byte, each handed over before the next is written. */
  async writeByByte(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += 1) {
      await new Promise<void>((resolve) => this.socket.write(bytes.subarray(at, at + 1), () => resolve()));
    }
  }

  /** The next reply, or undefined when the connection ended before there was a whole one. */
  async reply(isHead = false): Promise<RawReply | undefined> {
    for (;;) {
      const reply = this.takeReply(isHead);
      if (reply !== undefined) return reply;
      if (this.isEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
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

  private takeReply(isHead: boolean): RawReply | undefined {
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [statusLine = '', ...lines] = this.received.toString('latin1', 0, headEnd).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const status = Number(statusLine.split(' ')[1]);
    const bodyLength = isHead || status === 100 ? 0 : Number(headers['content-length'] ?? 0);
    const end = headEnd + 4 + bodyLength;
    if (this.received.length < end) return undefined;
    const body = this.received.subarray(headEnd + 4, end);
    this.received = this.received.subarray(end);
    return { status, headers, body };
  }
}

/** The bytes of one request. `body` undefined: neither a body nor a Content-Length. */
export function requestBytes(
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Buffer {
  const all: Record<string, string> = { host: 'localhost', ...headers };
  if (body !== undefined && !('content-length' in all) && !('transfer-encoding' in all)) {
    all['content-length'] = String(Buffer.byteLength(body));
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, Buffer.from(body as string)]);
}

/** One chunk of a chunked body; an empty one ends it. */
export function chunkBytes(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** One request on a connection of its own. */
export async function ask(
  port: number,
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<RawReply | undefined> {
  const client = await RawClient.open(port);
  client.write(requestBytes(method, path, body, headers));
  const reply = await client.reply(method === 'HEAD');
  client.close();
  return reply;
}
