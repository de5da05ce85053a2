/**
 * Spans of requests that came as frames, as tracing.ts writes them for HTTP: only for those whose caller samples them.
 * Lives on the loop.
 */
import { ERRORS, type ErrorName } from '../core/errors.js';
import type { VersionEntry } from '../core/snapshot.js';
import type { Exemplars } from './exemplars.js';
import { countedSeconds, parseTraceparent, type TraceParent, type Tracer } from './tracing.js';

/** One request with a span to come; `ended` is called once. */
export class FrameTrace {
  target: VersionEntry | undefined = undefined;
  private readonly beganMs = performance.now();

  constructor(
    private readonly traces: FrameTraces,
    private readonly trace: TraceParent,
  ) {}

  /** `error` undefined: there was a response. `timesUs` is good during the call only. */
  ended(error: ErrorName | undefined, timesUs: Float32Array | undefined): void {
    const { target, trace } = this;
    const { tracer, exemplars, path } = this.traces;
    const ms = performance.now() - this.beganMs;
    const beganMs = performance.timeOrigin + this.beganMs;
    const attributes = {
      'network.protocol.name': 'websocket',
      'url.path': path,
      ...(error === undefined ? {} : { 'error.type': error }),
    };
    const isServerFault = error !== undefined && ERRORS[error].blame === 'server';
    tracer.write({ trace, name: 'infer', attributes, isServerFault, target, timesUs, beganMs, ms });
    if (target === undefined || timesUs === undefined || error !== undefined) return;
    exemplars.note(target, 'ws', trace.traceId, countedSeconds(timesUs), beganMs + ms);
  }
}

export class FrameTraces {
  constructor(
    readonly tracer: Tracer,
    readonly exemplars: Exemplars,
    readonly path: string,
  ) {}

  /** undefined: the caller does not sample the request, or the text is none that W3C Trace Context knows. */
  begin(traceparent: string): FrameTrace | undefined {
    const trace = parseTraceparent(traceparent);
    return trace?.isSampled === true ? new FrameTrace(this, trace) : undefined;
  }
}
