/**
 * What the client needs of a WebSocket, so that Node's and the browser's are the same to it, and a test's too.
 */
import { WS_PATH } from '../wire/protocol.js';

export interface Socket {
  /** Bytes that are sent but have not left yet. */
  readonly bufferedAmount: number;
  /** The bytes are copied before it returns. */
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

export interface SocketEvents {
  opened(): void;
  message(data: ArrayBuffer | string): void;
  /** Once, and the last event; also where the connection never opened. */
  closed(code: number, reason: string): void;
}

export type OpenSocket = (url: string, events: SocketEvents) => Socket;

/** Clock, timers and chance; tests bring their own. */
export interface Surroundings {
  readonly openSocket: OpenSocket;
  nowMs(): number;
  /** Answers what takes the timer back. */
  after(delayMs: number, call: () => void): () => void;
  /** From 0 up to 1. */
  random(): number;
}

export function surroundings(openSocket: OpenSocket): Surroundings {
  return {
    openSocket,
    nowMs: () => performance.now(),
    after: (delayMs, call) => {
      // A longer delay would wrap around and fire at once.
      const timer = setTimeout(call, Math.min(delayMs, 2 ** 31 - 1));
      return () => {
        clearTimeout(timer);
      };
    },
    random: () => Math.random(),
  };
}

/** `http://host:8000` or `ws://host:8000`, with or without a path, as the address to open. */
export function socketUrl(url: string | URL): string {
  const parsed = new URL(url);
  const protocol = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[parsed.protocol];
  if (protocol === undefined) {
    throw new TypeError(`expected a ws, wss, http or https address of a server, got ${parsed.protocol}//...`);
  }
  const path = parsed.pathname === '/' ? WS_PATH : parsed.pathname;
  return `${protocol}//${parsed.host}${path}${parsed.search}`;
}
