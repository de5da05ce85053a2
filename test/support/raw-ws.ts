/**
 * A WebSocket client over a bare socket that sends exactly the bytes it is given, for tests in which the framing itself is
 * the point. It reads the server's frames, which are never fragmented here.
 */
import { connected, RawSocket } from './raw-socket.js';

export interface RawFrame {
  readonly opcode: number;
  readonly bytes: Buffer;
}

export const OPCODES = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

export interface Framing {
  readonly opcode?: number;
  readonly isLast?: boolean;
  /** RSV1 to RSV3 as the upper bits of the first byte, e.g. 0x40. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** What the header claims, where it is not the truth. */
  readonly claimedBytes?: number;
}

/** One WebSocket frame as a client sends it, right or wrong. */
export function wsFrame(bytes: Uint8Array, framing: Framing = {}): Buffer {
  const { opcode = OPCODES.BINARY, isLast = true, reserved = 0, isMasked = true } = framing;
  const claimed = framing.claimedBytes ?? bytes.byteLength;
  const length =
    claimed < 126
      ? Buffer.from([claimed])
      : claimed < 65_536
        ? Buffer.from([126, claimed >> 8, claimed & 255])
        : Buffer.concat([Buffer.from([127]), bigEndian(claimed)]);
  length[0]! |= isMasked ? 0x80 : 0;
  const first = Buffer.from([(isLast ? 0x80 : 0) | reserved | opcode]);
  if (!isMasked) return Buffer.concat([first, length, bytes]);
  const masked = Buffer.from(bytes);
  for (let at = 0; at < masked.length; at += 1) masked[at]! ^= MASK[at % 4]!;
  return Buffer.concat([first, length, MASK, masked]);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export class RawWs extends RawSocket {
  /** The server's answer to the upgrade. */
  head: Buffer | undefined;

  /** Opens a WebSocket; the server's hello is the first frame. */
  static async open(port: number): Promise<RawWs> {
    const client = new RawWs(await connected(port));
    client.write(
      Buffer.from(
        'GET /v2/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
          'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n',
      ),
    );
    client.head = await client.take((received) => {
      const end = received.indexOf('\r\n\r\n');
      return end < 0 ? undefined : { found: received.subarray(0, end), end: end + 4 };
    });
    return client;
  }

  write(...bytes: Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The next frame, or undefined when the connection ended before there was a whole one. */
  async frame(): Promise<RawFrame | undefined> {
    return this.take(readRawFrame);
  }

  /** The code of the close frame, or 1006 where the connection ended without one. Other frames are passed over. */
  async closeCode(): Promise<number> {
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) return 1006;
      if (frame.opcode === OPCODES.CLOSE) {
        this.socket.destroy();
        return frame.bytes.length < 2 ? 1005 : frame.bytes.readUInt16BE(0);
      }
    }
  }
}

function readRawFrame(received: Buffer): { found: RawFrame; end: number } | undefined {
  if (received.length < 2) return undefined;
  const opcode = received[0]! & 15;
  const short = received[1]! & 127;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (received.length < at) return undefined;
  const length =
    short === 126 ? received.readUInt16BE(2) : short === 127 ? Number(received.readBigUInt64BE(2)) : short;
  if (received.length < at + length) return undefined;
  return { found: { opcode, bytes: received.subarray(at, at + length) }, end: at + length };
}
