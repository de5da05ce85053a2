/**
 * A WebSocket client over a bare socket that costs little: its mask is zero, so a message is sent as it is, and a frame that
 * comes is looked at where it lies. For scripts that open thousands of them, or read as slowly as they like.
 */
import net from 'node:net';
import { FRAME_PATH } from './frames.mjs';

export const OPCODES = { BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };
const UPGRADE =
  `GET ${FRAME_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);
const MASKED = 0x80;
const LAST = 0x80;

/** A message of a client in one frame. */
export function messageBytes(bytes, opcode = OPCODES.BINARY) {
  const { length } = bytes;
  const atSize = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const message = Buffer.alloc(atSize + 4 + length);
  message[0] = LAST | opcode;
  message[1] = MASKED | (atSize === 2 ? length : atSize === 4 ? 126 : 127);
  if (atSize === 4) message.writeUInt16BE(length, 2);
  if (atSize === 10) message.writeBigUInt64BE(BigInt(length), 2);
  message.set(bytes, atSize + 4);
  return message;
}

export class RawWs {
  /** `onFrame(opcode, bytes)`: the bytes are good during the call. `onEnd()`: once. */
  onFrame = () => undefined;
  onEnd = () => undefined;
  #received = NOTHING;
  #isUpgraded = false;
  #opened;

  /** Resolves when the upgrade is answered; rejects where it is refused. */
  static open(port, { onFrame, onEnd, localAddress } = {}) {
    return new Promise((resolve, reject) => {
      const client = new RawWs(net.connect({ port, host: '127.0.0.1', localAddress, noDelay: true }));
      if (onFrame !== undefined) client.onFrame = onFrame;
      if (onEnd !== undefined) client.onEnd = onEnd;
      client.#opened = { resolve, reject };
    });
  }

  constructor(socket) {
    this.socket = socket;
    let failure;
    socket.on('connect', () => socket.write(UPGRADE));
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      this.#opened?.reject(failure ?? new Error('the connection ended before the upgrade was answered'));
      this.onEnd();
    });
  }

  send(message) {
    this.socket.write(message);
  }

  /** With a reset: leaves nothing behind in the system. */
  drop() {
    this.socket.resetAndDestroy();
  }

  #take(chunk) {
    let received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (!this.#isUpgraded) {
      const end = received.indexOf(HEAD_END);
      if (end < 0) return void (this.#received = received);
      const statusLine = received.toString('latin1', 0, received.indexOf('\r\n'));
      const { resolve, reject } = this.#opened;
      this.#opened = undefined;
      if (!statusLine.includes(' 101 ')) {
        this.socket.destroy();
        return reject(new Error(`expected the status 101, got ${statusLine}`));
      }
      this.#isUpgraded = true;
      received = received.subarray(end + HEAD_END.length);
      resolve(this);
    }
    while (received.length >= 2) {
      const short = received[1];
      const at = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (received.length < at) break;
      const length =
        short === 126
          ? received.readUInt16BE(2)
          : short === 127
            ? Number(received.readBigUInt64BE(2))
            : short;
      if (received.length < at + length) break;
      this.onFrame(received[0] & 15, received.subarray(at, at + length));
      received = received.subarray(at + length);
    }
    this.#received = received;
  }
}
