/** One HTTP connection of the scripts that check rows: a request at a time, replies taken apart, or broken off on purpose. */
import net from 'node:net';

/** Resolves when connected. */
export function openConnection(url) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new Connection(socket));
    });
  });
}

/** Moments at which `abandon` breaks off: in the head, behind it, in the body, behind it, a little later, in the reply. */
export const MOMENTS = 6;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Connection {
  constructor(socket) {
    this.socket = socket;
    this.received = Buffer.alloc(0);
    this.waiting = undefined;
    this.isOpen = true;
    this.isAbandoned = false;
    /** Replies that nobody had asked for. */
    this.unasked = 0;
    socket.on('data', (chunk) => this.take(chunk));
    // The error is followed by 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isOpen = false;
      this.answer(undefined);
    });
  }

  /** The reply, or undefined where the connection ended before it came. */
  ask({ head, body }) {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.socket.write(Buffer.concat([head, body]));
    });
  }

  /** Breaks off at a moment of the request. */
  async abandon({ head, body }, { below }, moment = below(MOMENTS)) {
    const { socket } = this;
    this.isAbandoned = true;
    const pieces = [
      [head.subarray(0, below(head.length))],
      [head],
      [head, body.subarray(0, below(body.length))],
    ][moment] ?? [head, body];
    socket.write(Buffer.concat(pieces));
    if (moment < 3) await pause(below(2));
    else if (moment === 4) await pause(below(4));
    else if (moment === 5) {
      await Promise.race([new Promise((resolve) => socket.once('data', resolve)), pause(50)]);
    }
    this.isOpen = false;
    if (below(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
  }

  close() {
    this.socket.destroy();
  }

  take(chunk) {
    if (!this.isOpen) return;
    this.received = this.received.length > 0 ? Buffer.concat([this.received, chunk]) : chunk;
    for (;;) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.received.toString('latin1', 0, end);
      const total = end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (this.received.length < total) return;
      const body = this.received.subarray(end + 4, total);
      this.received = this.received.subarray(total);
      const headLength = Number(/inference-header-content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.answer({ status: Number(head.slice(9, 12)), body, headLength });
    }
  }

  answer(reply) {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting !== undefined) waiting(reply);
    else if (reply !== undefined && !this.isAbandoned) this.unasked += 1;
  }
}
