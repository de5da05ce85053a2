/**
 * `sluice/client` for browsers, and for every other place that has the platform's WebSocket (Node 22, Deno, Bun).
 */
import { Client, type ConnectOptions } from './client.js';
import { socketUrl, surroundings, type OpenSocket } from './socket.js';

export * from './index.js';

/** The part of the platform's WebSocket that is used; the library is built without the types of a page. */
interface PlatformSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

type PlatformSocketClass = new (url: string) => PlatformSocket;

const openSocket: OpenSocket = (url, events) => {
  const { WebSocket } = globalThis as unknown as { readonly WebSocket?: PlatformSocketClass };
  if (WebSocket === undefined) throw new Error('expected a platform with WebSocket');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    events.opened();
  };
  socket.onmessage = ({ data }) => {
    events.message(data as ArrayBuffer | string);
  };
  socket.onclose = ({ code, reason }) => {
    events.closed(code, reason);
  };
  return socket;
};

/** Opens the connections; resolves once the server has said hello. */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  const client = new Client(socketUrl(url), options, surroundings(openSocket));
  await client.opened;
  return client;
}
