/**
 * All the WebSockets of one event loop: who may come in, what they are told about the models, and how they leave. The
 * sessions do the rest. Nothing here runs per request but the one flush at the end of a delivery.
 */
import { DATA_TYPES } from '../core/data-types.js';
import type { Reply, RequestHead } from '../core/exchange.js';
import type { TensorInfo } from '../core/model.js';
import type { ModelEntry } from '../core/snapshot.js';
import type { Admittance, Socket, SocketCaller, SocketDoor, SocketSink } from '../core/socket.js';
import type { Engine } from '../engine/engine.js';
import { FRAME_ROWS } from '../engine/frame-facts.js';
import type { FrameTraces } from '../metrics/frame-traces.js';
import type { RouteTable } from '../routing/route-table.js';
import { WS_PATH } from '../wire/protocol.js';
import { helloFrame, type HelloModel, type HelloTensor } from '../wire/server-frames.js';
import type { Admission } from './admission.js';
import { FrameTargets } from './frame-targets.js';
import { FrameHeaders } from './frame-headers.js';
import type { RouteSource, ShadowChoice } from './infer.js';
import { largestRequestBytes } from './largest-request.js';
import { errorReply } from './replies.js';
import { SocketCounts } from './socket-counts.js';
import type { FrameRequest } from './frame-request.js';
import type { SessionContext, SocketLimits } from './ws-context.js';
import { WsSession } from './ws-session.js';

/** Where nobody needs a key. */
const ANYONE: SocketCaller = { isRevoked: false, may: () => true };

/** Between what is refused with a reason and what makes the library cut the connection. */
const MESSAGE_SLACK_BYTES = 64 * 1024;
/** Clients of a stopping server come back to whoever listens next; they add a random part. */
const RECONNECT_MS = 500;

export class WsDoor implements SocketDoor, SessionContext {
  readonly path = WS_PATH;
  readonly counts = new SocketCounts();
  readonly targets: FrameTargets;
  readonly spareRequests: FrameRequest[] = [];
  readonly waitingToSend: Array<{ flush(): void }> = [];
  /** Set before the first socket opens. */
  traces: FrameTraces | undefined = undefined;
  readonly longestMessageBytes: number;
  readonly idleSeconds: number;
  readonly headers: FrameHeaders;
  /** Never shrinks: what a client was told stays true for it. */
  messageLimitBytes = 0;
  private readonly sessions = new Set<WsSession>();
  private seen: RouteTable | undefined;
  private helloModels: readonly HelloModel[] = [];
  private hello: Uint8Array = new Uint8Array(0);

  constructor(
    readonly engine: Engine,
    readonly admission: Admission,
    readonly routing: RouteSource,
    readonly shadows: ShadowChoice,
    readonly limits: SocketLimits,
    /** Name and version, as the hello tells it. */
    private readonly serverName: string,
    /** Who asks, by the keys of the headers. */
    private readonly callerOf: (head: RequestHead) => Admittance = () => ({ caller: ANYONE }),
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.longestMessageBytes = limits.messageBytes + MESSAGE_SLACK_BYTES;
    this.idleSeconds = limits.idleSeconds;
    this.headers = new FrameHeaders(engine);
    this.targets = new FrameTargets(engine);
    engine.onDelivered(() => {
      this.flush();
    });
  }

  admit(head: RequestHead): Admittance {
    const refusal = this.reasonAgainst(head);
    const answer = refusal === undefined ? this.callerOf(head) : { refusal };
    if ('refusal' in answer) this.counts.refused += 1;
    return answer;
  }

  open(socket: Socket, caller: SocketCaller): SocketSink {
    this.tellNews();
    const session = new WsSession(this, socket, caller, this.nowMs());
    this.sessions.add(session);
    this.counts.opened += 1;
    this.counts.open = this.sessions.size;
    session.sendNow(this.helloFor(caller));
    return session;
  }

  left(session: SocketSink): void {
    this.sessions.delete(session as WsSession);
    this.counts.open = this.sessions.size;
  }

  /** Called now and then: tells of new models, and ends what is over its time. */
  look(): void {
    this.tellNews();
    const nowMs = this.nowMs();
    for (const session of this.sessions) session.look(nowMs);
  }

  /** Answers and goodbyes that the clients have not taken yet: to close now would cut them off. */
  get unreadBytes(): number {
    let bytes = 0;
    for (const session of this.sessions) bytes += session.unreadBytes;
    return bytes;
  }

  /** The server stops: every client is told, and has `drainMs` for what it has in flight. */
  drain(drainMs: number): void {
    const nowMs = this.nowMs();
    for (const session of this.sessions) session.sayGoodbye('DRAINING', drainMs, RECONNECT_MS, nowMs);
  }

  private flush(): void {
    const { waitingToSend } = this;
    let failures: unknown[] | undefined;
    for (let index = 0; index < waitingToSend.length; index += 1) {
      try {
        waitingToSend[index]!.flush();
      } catch (cause) {
        failures ??= [];
        failures.push(cause);
      }
    }
    waitingToSend.length = 0;
    if (failures !== undefined) throw new AggregateError(failures, 'answers could not be sent');
  }

  private reasonAgainst(head: RequestHead): Reply | undefined {
    if (this.admission.isDraining) {
      return errorReply('DRAINING', 'The server is stopping; connect elsewhere');
    }
    if (this.sessions.size >= this.limits.sockets) {
      return errorReply('QUEUE_FULL', `The server has ${this.limits.sockets} WebSockets, which is its limit`);
    }
    const origin = head.header('origin');
    if (this.limits.origins.allows(origin, head.header('host'))) return undefined;
    return errorReply('FORBIDDEN', 'Pages of this origin may not connect; see the setting ws-origins');
  }

  private tellNews(): void {
    if (!this.renewHello()) return;
    for (const session of this.sessions) session.sendNow(this.helloFor(session.caller));
  }

  /** True where the hello has changed. */
  private renewHello(): boolean {
    const { table } = this.routing;
    if (table === this.seen) return false;
    this.seen = table;
    const models = [...table.snapshot.models.values()];
    const needed = Math.min(this.limits.messageBytes, Math.max(...models.map(largestRequestBytes), 0));
    this.messageLimitBytes = Math.max(this.messageLimitBytes, needed + MESSAGE_SLACK_BYTES);
    this.messageLimitBytes = Math.min(this.messageLimitBytes, this.limits.messageBytes);
    this.helloModels = models.map((model) => this.helloModel(model, table));
    const hello = this.helloWith(this.helloModels);
    if (Buffer.compare(hello, this.hello) === 0) return false;
    this.hello = hello;
    return true;
  }

  /** A key that is good for some models hears of no others. */
  private helloFor(caller: SocketCaller): Uint8Array {
    const models = this.helloModels.filter((model) => caller.may('infer', model.name));
    return models.length === this.helloModels.length ? this.hello : this.helloWith(models);
  }

  private helloWith(models: readonly HelloModel[]): Uint8Array {
    return helloFrame({
      server: this.serverName,
      maxMessageBytes: this.messageLimitBytes,
      maxInFlight: this.limits.inFlight,
      maxBundleFrames: FRAME_ROWS,
      models,
    });
  }

  private helloModel(model: ModelEntry, table: RouteTable): HelloModel {
    const routes = table.routes.get(model.name);
    const version = routes === undefined ? model.defaultVersion : routes.defaultTarget?.version;
    return {
      number: this.targets.numberOf(model.name),
      name: model.name,
      version: version?.version,
      versions: [...model.versions.values()]
        .filter(({ state }) => state === 'READY')
        .map((entry) => entry.version),
      maxRows: version?.plan?.maxBatchRows ?? 0,
      inputs: (version?.metadata?.inputs ?? []).map(helloTensor),
      outputs: (version?.metadata?.outputs ?? []).map(helloTensor),
    };
  }
}

function helloTensor(tensor: TensorInfo): HelloTensor {
  return { name: tensor.name, datatype: DATA_TYPES[tensor.datatype].number, shape: tensor.shape };
}
