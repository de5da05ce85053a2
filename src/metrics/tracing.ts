/**
 * Spans through the OpenTelemetry API alone: whoever starts the process brings an SDK, or nothing happens. A request is
 * traced when its caller says so (`traceparent` with the sampled flag); spans are made afterwards, from times that are
 * there anyway, so that nothing is held open while a request runs.
 */
import type * as Api from '@opentelemetry/api';
import type { VersionEntry } from '../core/snapshot.js';
import { STAGES } from '../core/version-stats.js';

export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export interface TracedRequest {
  readonly trace: TraceParent;
  /** The span's where the request found no target. */
  readonly name: string;
  /** What the protocol of the request has to tell. */
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly isServerFault: boolean;
  readonly target: VersionEntry | undefined;
  readonly timesUs: Float32Array | undefined;
  /** Since the epoch. */
  readonly beganMs: number;
  readonly ms: number;
}

const SEND = STAGES.indexOf('send');

/** The time that the histogram has counted: without the last stage, which comes after the reply is encoded. */
export function countedSeconds(timesUs: Float32Array): number {
  return timesUs.slice(0, SEND).reduce((sum, us) => sum + us, 0) / 1e6;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** undefined for what W3C Trace Context tells to ignore. */
export function parseTraceparent(text: string): TraceParent | undefined {
  if (text === '') return undefined;
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined)
    return undefined;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** undefined, with a word in the log, where the API package is not installed. */
export async function loadTracer(log: {
  warn(fields: object, message: string): void;
}): Promise<Tracer | undefined> {
  try {
    return new Tracer(await import('@opentelemetry/api'));
  } catch (error) {
    log.warn({ err: error }, 'no traces: @opentelemetry/api is not installed');
    return undefined;
  }
}

export class Tracer {
  constructor(private readonly api: typeof Api) {}

  write(request: TracedRequest): void {
    const { trace, ROOT_CONTEXT, SpanKind, SpanStatusCode } = this.api;
    const { traceId, spanId } = request.trace;
    const caller = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true });
    const tracer = trace.getTracer('sluice');
    const { beganMs, ms, target, timesUs } = request;
    const span = tracer.startSpan(
      target === undefined ? request.name : `infer ${target.modelName}`,
      {
        kind: SpanKind.SERVER,
        startTime: beganMs,
        attributes: {
          ...request.attributes,
          ...(target === undefined
            ? {}
            : { 'sluice.model': target.modelName, 'sluice.version': target.version }),
        },
      },
      caller,
    );
    if (timesUs !== undefined) this.stages(tracer, trace.setSpan(caller, span), beganMs, timesUs);
    if (request.isServerFault) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(beganMs + ms);
  }

  /** One behind the other, which is how they happened. */
  private stages(tracer: Api.Tracer, parent: Api.Context, beganMs: number, timesUs: Float32Array): void {
    let atMs = beganMs;
    for (const [at, stage] of STAGES.entries()) {
      const us = timesUs[at]!;
      if (!(us > 0)) continue;
      const span = tracer.startSpan(stage, { startTime: atMs }, parent);
      atMs += us / 1e3;
      span.end(atMs);
    }
  }
}
