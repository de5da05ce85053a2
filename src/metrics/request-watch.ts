/**
 * What is told about single requests: a line of the access log, a request id, Server-Timing, spans. Off by default; then
 * `begin` is undefined and nothing of this is on the way of a request. Lives on the loop.
 */
import { randomUUID } from 'node:crypto';
import type { Reply, RequestHead, RequestWatch } from '../core/exchange.js';
import type { VersionEntry } from '../core/snapshot.js';
import { STAGES } from '../core/version-stats.js';
import type { Exemplars } from './exemplars.js';
import { countedSeconds, parseTraceparent, type TraceParent, type Tracer } from './tracing.js';

export interface WatchSettings {
  /** Share of requests that get a line in the log. */
  readonly accessLogPercent: number;
  /** Requests that took at least so long get one in any case; 0 = none. */
  readonly accessLogSlowMs: number;
  /** Requests that got an error, or whose client went away, get one in any case. */
  readonly accessLogErrors: boolean;
  readonly requestIds: boolean;
  readonly serverTiming: 'off' | 'asked' | 'on';
}

export interface AccessLog {
  info(fields: object, message: string): void;
}

const CLIENT_WENT = 499;
const LONGEST_PATH = 256;

/** Ids of clients are echoed only where they can stand in a header and in a log. */
function requestIdOf(head: RequestHead): string {
  const given = head.header('x-request-id');
  return /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID();
}

function stagesUs(timesUs: Float32Array): Record<string, number> {
  return Object.fromEntries(STAGES.map((stage, at) => [stage, Math.round(timesUs[at]! * 10) / 10]));
}

export class RequestWatcher {
  private percentDue = 0;

  constructor(
    readonly settings: WatchSettings,
    readonly log: AccessLog,
    readonly tracer: Tracer | undefined,
    readonly exemplars: Exemplars,
  ) {}

  /** undefined where the settings ask for nothing. */
  get begin(): ((head: RequestHead) => WatchedRequest | undefined) | undefined {
    const { requestIds, serverTiming } = this.settings;
    if (!this.logs && !requestIds && serverTiming === 'off' && this.tracer === undefined) return undefined;
    return (head) => {
      const wantsTiming =
        serverTiming === 'on' || (serverTiming === 'asked' && head.header('sluice-timing') !== '');
      const trace = this.tracer === undefined ? undefined : parseTraceparent(head.header('traceparent'));
      const isTraced = trace?.isSampled === true;
      if (!this.logs && !requestIds && !wantsTiming && !isTraced) return undefined;
      return new WatchedRequest(this, head, wantsTiming, trace);
    };
  }

  get logs(): boolean {
    const { accessLogPercent, accessLogSlowMs, accessLogErrors } = this.settings;
    return accessLogPercent > 0 || accessLogSlowMs > 0 || accessLogErrors;
  }

  /** An exact share, evenly spread. */
  isSampled(): boolean {
    this.percentDue += this.settings.accessLogPercent;
    if (this.percentDue < 100) return false;
    this.percentDue -= 100;
    return true;
  }
}

class WatchedRequest implements RequestWatch {
  target: VersionEntry | undefined = undefined;
  timesUs: Float32Array | undefined = undefined;
  private readonly beganMs = performance.now();
  private readonly method: string;
  private readonly path: string;
  private readonly requestId: string;

  constructor(
    private readonly watcher: RequestWatcher,
    head: RequestHead,
    private readonly wantsTiming: boolean,
    private readonly trace: TraceParent | undefined,
  ) {
    this.method = head.method;
    this.path = head.path.slice(0, LONGEST_PATH);
    this.requestId = watcher.settings.requestIds || watcher.logs ? requestIdOf(head) : '';
  }

  replied(reply: Reply): Reply {
    const ms = performance.now() - this.beganMs;
    this.writeLine(reply.status, ms, Buffer.byteLength(reply.body));
    this.writeSpans(reply.status, ms);
    const headers: Array<readonly [string, string]> = [];
    if (this.watcher.settings.requestIds) headers.push(['x-request-id', this.requestId]);
    if (this.wantsTiming) headers.push(['server-timing', this.serverTiming(ms)]);
    return headers.length === 0 ? reply : { ...reply, headers: [...(reply.headers ?? []), ...headers] };
  }

  aborted(): void {
    const ms = performance.now() - this.beganMs;
    this.writeLine(CLIENT_WENT, ms, 0);
    this.writeSpans(CLIENT_WENT, ms);
  }

  private serverTiming(ms: number): string {
    const times = this.timesUs;
    const stages =
      times === undefined ? [] : STAGES.map((stage, at) => `${stage};dur=${(times[at]! / 1e3).toFixed(4)}`);
    return [...stages, `total;dur=${ms.toFixed(4)}`].join(', ');
  }

  private writeLine(status: number, ms: number, replyBytes: number): void {
    const { watcher, target, timesUs } = this;
    if (!watcher.logs) return;
    const { accessLogSlowMs, accessLogErrors } = watcher.settings;
    const isSlow = accessLogSlowMs > 0 && ms >= accessLogSlowMs;
    // Asked first, so that the share is one of all requests.
    const isSampled = watcher.isSampled();
    if (!isSampled && !isSlow && !(accessLogErrors && status >= 400)) return;
    const { requestId, method, path } = this;
    watcher.log.info(
      {
        requestId,
        method,
        path,
        status,
        ms: Math.round(ms * 1e3) / 1e3,
        replyBytes,
        ...(target === undefined ? {} : { model: target.modelName, version: target.version }),
        ...(timesUs === undefined ? {} : { stagesUs: stagesUs(timesUs) }),
        ...(this.trace === undefined ? {} : { traceId: this.trace.traceId }),
        ...(isSlow ? { isSlow } : {}),
      },
      'request',
    );
  }

  private writeSpans(status: number, ms: number): void {
    const { watcher, trace, target } = this;
    if (watcher.tracer === undefined || trace?.isSampled !== true) return;
    const beganMs = performance.timeOrigin + this.beganMs;
    const { method, path, timesUs } = this;
    const attributes = {
      'http.request.method': method,
      'url.path': path,
      'http.response.status_code': status,
    };
    const isServerFault = status >= 500;
    watcher.tracer.write({ trace, name: method, attributes, isServerFault, target, timesUs, beganMs, ms });
    if (target === undefined || timesUs === undefined || status !== 200) return;
    watcher.exemplars.note(target, 'http', trace.traceId, countedSeconds(timesUs), beganMs + ms);
  }
}
