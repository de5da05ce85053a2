/**
 * What the WebSocket sessions of one event loop share. Types only.
 */
import type { SocketSink } from '../core/socket.js';
import type { Engine } from '../engine/engine.js';
import type { FrameTraces } from '../metrics/frame-traces.js';
import type { Admission } from './admission.js';
import type { FrameRequest } from './frame-request.js';
import type { FrameTargets } from './frame-targets.js';
import type { FrameHeaders } from './frame-headers.js';
import type { RouteSource, ShadowChoice } from './infer.js';
import type { OriginRule } from './origin.js';
import type { SocketCounts } from './socket-counts.js';

export interface SocketLimits {
  /** No message may be longer, whatever the models need. */
  readonly messageBytes: number;
  readonly inFlight: number;
  readonly unreadBytes: number;
  readonly idleSeconds: number;
  readonly lifetimeMs: number;
  readonly sockets: number;
  readonly origins: OriginRule;
  /** Time for the last answers after a goodbye. */
  readonly drainMs: number;
  /** Time for the closing handshake. */
  readonly endingMs: number;
}

/** What the sessions share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly admission: Admission;
  readonly routing: RouteSource;
  readonly shadows: ShadowChoice;
  readonly headers: FrameHeaders;
  readonly targets: FrameTargets;
  readonly limits: SocketLimits;
  readonly counts: SocketCounts;
  /** undefined: no request is traced. */
  readonly traces: FrameTraces | undefined;
  readonly spareRequests: FrameRequest[];
  readonly waitingToSend: Array<{ flush(): void }>;
  readonly messageLimitBytes: number;
  left(session: SocketSink): void;
}
