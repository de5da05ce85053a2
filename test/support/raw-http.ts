/**
 * An HTTP/1.1 client over a bare socket that sends exactly the bytes it is given and reads replies one by one, for
 * tests in which the framing itself is the point.
 */
import { connected, RawSocket } from './raw-socket.js';

export interface RawReply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

export class RawClient extends RawSocket {
  static async open(port: number): Promise<RawClient> {
    return new RawClient(await connected(port));
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
    return this.take((received) => readReply(received, isHead));
  }
}

function readReply(received: Buffer, isHead: boolean): { found: RawReply; end: number } | undefined {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine = '', ...lines] = received.toString('latin1', 0, headEnd).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const status = Number(statusLine.split(' ')[1]);
  const bodyLength = isHead || status === 100 ? 0 : Number(headers['content-length'] ?? 0);
  const end = headEnd + 4 + bodyLength;
  if (received.length < end) return undefined;
  return { found: { status, headers, body: received.subarray(headEnd + 4, end) }, end };
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
