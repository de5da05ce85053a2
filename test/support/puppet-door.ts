/**
 * The WebSocket side of a server without sockets and without models: a puppet engine says what each message is, puppet sockets
 * keep what was sent, and the clock is a number.
 */
import type { Snapshot } from '../../src/core/snapshot.js';
import type { SocketCaller } from '../../src/core/socket.js';
import { FRAME_KINDS } from '../../src/engine/frame-facts.js';
import { OriginRule } from '../../src/serving/origin.js';
import { Admission } from '../../src/serving/admission.js';
import type { SocketLimits } from '../../src/serving/ws-context.js';
import { WsDoor } from '../../src/serving/ws-door.js';
import { requestFrame } from './frames.js';
import { PuppetEngine, type AnnouncedFrame } from './puppet-engine.js';
import { modelEntry, routingOf, snapshotOf, versionEntry } from './puppet-snapshot.js';
import { PuppetSocket } from './puppet-ws.js';

export const LIMITS: SocketLimits = {
  messageBytes: 100_000,
  inFlight: 2,
  unreadBytes: 1000,
  idleSeconds: 30,
  lifetimeMs: 60_000,
  sockets: 3,
  origins: new OriginRule('https://app.example', (host) => host !== 'evil.example:8000'),
  drainMs: 5000,
  endingMs: 2000,
};

export const ANYONE: SocketCaller = { isRevoked: false, may: () => true };
export const MESSAGE = new Uint8Array(40).buffer;

export function request(
  id: number,
  changes: { number?: number; flags?: number; texts?: string[] } = {},
): AnnouncedFrame {
  const { number = 1, flags = 0, texts = [] } = changes;
  return { facts: [FRAME_KINDS.REQUEST, id, number, 0, 0, flags], texts };
}

export function setUp(limits: Partial<SocketLimits> = {}) {
  const engine = new PuppetEngine();
  const admission = new Admission({ jsonBodyBytes: 1, binaryBodyBytes: 1, inFlightBytes: 10_000 });
  const models: { snapshot: Snapshot } = {
    snapshot: snapshotOf(modelEntry('m', [versionEntry('m', '1', 11), versionEntry('m', '2', 12)])),
  };
  const clock = { nowMs: 0 };
  const shadowOf = new Map<number, number>();
  const door = new WsDoor(
    engine,
    admission,
    routingOf(models),
    { next: (handle) => shadowOf.get(handle) ?? 0 },
    { ...LIMITS, ...limits },
    'sluice test',
    () => ({ caller: ANYONE }),
    () => clock.nowMs,
  );
  const open = (caller: SocketCaller = ANYONE) => {
    const socket = new PuppetSocket();
    return { socket, sink: door.open(socket, caller) };
  };
  const say = (sink: ReturnType<typeof open>['sink'], frame: AnnouncedFrame, message = MESSAGE) => {
    engine.frames.push(frame);
    sink.message(message, true);
  };
  /** An answer of the engine is a frame for that id; any frame with an id will do. */
  const answer = (index: number, id: number) => {
    engine.answer(engine.submissions[index]!, requestFrame({ id, inputs: [] }));
  };
  return { engine, admission, models, clock, shadowOf, door, open, say, answer };
}
