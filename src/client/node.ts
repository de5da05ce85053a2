/**
 * `sluice/client` for Node, over `ws`: Node 20 has no WebSocket of its own.
 */
import { WebSocket, type ClientOptions } from 'ws';
import { Client, type ConnectOptions } from './client.js';
import { socketUrl, surroundings, type OpenSocket } from './socket.js';

export * from './index.js';

/** The longest answer that is taken. */
const MOST_ANSWER_BYTES = 1024 ** 3;
/** A connection that does not agree to be closed is ended after that time. */
const CLOSE_TIMEOUT_MS = 2000;

export interface NodeConnectOptions extends ConnectOptions {
  /** Sent when a connection is opened, for instance `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

function openWith(headers: Readonly<Record<string, string>>): OpenSocket {
  return (url, events) => {
    // The types of the package do not know closeTimeout yet.
    const options: ClientOptions & { readonly closeTimeout: number } = {
      headers,
      // Compression costs more than it saves with tensors, and the server does not offer it.
      perMessageDeflate: false,
      maxPayload: MOST_ANSWER_BYTES,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    const socket = new WebSocket(url, options);
    socket.binaryType = 'arraybuffer';
    let trouble = '';
    socket.on('open', () => {
      events.opened();
    });
    socket.on('message', (data: ArrayBuffer, isBinary) => {
      events.message(isBinary ? data : '');
    });
    // The close that follows tells the client.
    socket.on('error', (error: Error & { readonly code?: string }) => {
      trouble = error.message === '' ? (error.code ?? error.name) : error.message;
    });
    socket.on('close', (code, reason) => {
      events.closed(code, reason.length > 0 ? reason.toString() : trouble);
    });
    return socket;
  };
}

/** Opens the connections; resolves once the server has said hello. */
export async function connect(url: string | URL, options: NodeConnectOptions = {}): Promise<Client> {
  const { headers = {}, ...rest } = options;
  const client = new Client(socketUrl(url), rest, surroundings(openWith(headers)));
  await client.opened;
  return client;
}
