/**
 * Sockets, a clock and chance that move only when a test says so, in the place of the client's surroundings.
 */
import { Client, type ConnectOptions } from '../../src/client/client.js';
import type { Socket, SocketEvents, Surroundings } from '../../src/client/socket.js';
import { framesIn } from './frames.js';
import { helloFrame, PAIRS, readClientFrame, type HelloFacts, type ReadRequest } from './server-frames.js';

export class PuppetSocket implements Socket {
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  closedWith: number | undefined;

  constructor(
    readonly url: string,
    readonly events: SocketEvents,
  ) {}

  send(bytes: Uint8Array): void {
    this.sent.push(bytes.slice());
  }

  close(code: number): void {
    this.closedWith = code;
  }

  /** The server's frame arrives. */
  arrive(bytes: Uint8Array | string): void {
    this.events.message(typeof bytes === 'string' ? bytes : new Uint8Array(bytes).buffer);
  }

  /** The requests that were sent and not yet taken by an earlier call; cancels are left out. */
  takeRequests(): ReadRequest[] {
    return this.takeFrames().flatMap((frame) => (frame.kind === 'request' ? [frame] : []));
  }

  takeFrames() {
    return this.takeMessages().flat();
  }

  /** The frames of each message that was sent. */
  takeMessages() {
    return this.sent.splice(0).map((message) => framesIn(message).map(readClientFrame));
  }
}

export class PuppetSurroundings implements Surroundings {
  readonly sockets: PuppetSocket[] = [];
  /** What `random` answers. */
  chance = 0.5;
  private timeMs = 1000;
  private timers: { readonly atMs: number; readonly call: () => void }[] = [];

  readonly openSocket = (url: string, events: SocketEvents): Socket => {
    const socket = new PuppetSocket(url, events);
    this.sockets.push(socket);
    return socket;
  };

  get last(): PuppetSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('expected a socket to have been opened');
    return socket;
  }

  get timerCount(): number {
    return this.timers.length;
  }

  nowMs(): number {
    return this.timeMs;
  }

  random(): number {
    return this.chance;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.timeMs + delayMs, call };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Time passes, and timers fire in their order. */
  pass(ms: number): void {
    const untilMs = this.timeMs + ms;
    for (;;) {
      const [next] = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.timeMs = Math.max(this.timeMs, next.atMs);
      next.call();
    }
    this.timeMs = untilMs;
  }
}

/** A client whose first connection (or all of them) has heard a hello. */
export async function openClient(
  options: ConnectOptions = {},
  hello: HelloFacts = { models: [PAIRS] },
): Promise<{ client: Client; around: PuppetSurroundings; socket: PuppetSocket }> {
  const around = new PuppetSurroundings();
  const client = new Client('ws://127.0.0.1:1/v2/ws', options, around);
  for (const socket of around.sockets) greet(socket, hello);
  await client.opened;
  return { client, around, socket: around.sockets[0]! };
}

export function greet(socket: PuppetSocket, hello: HelloFacts = { models: [PAIRS] }): void {
  socket.events.opened();
  socket.arrive(helloFrame(hello));
}
