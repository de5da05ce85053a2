/**
 * What the rest of the server sees of the addon: open, start, submit, deliver, close. Lives on one event loop.
 * Bytes given to `submit` are copied before it returns; bytes handed to `delivered` are valid during that call only, unless kept.
 */
import type { ServePlan, StartReport } from '../core/model.js';
import type { VersionStats } from '../core/version-stats.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../core/shadow.js';

/** Number of an opened model version inside the addon. */
export type ModelHandle = number;

export interface EngineInfo {
  readonly interfaceNumber: number;
  readonly onnxruntimePath: string;
  readonly onnxruntimeVersion: string;
  readonly providers: readonly string[];
  readonly workers: number;
  readonly hasCuda: boolean;
}

/** The side of a request that takes its one answer. */
export interface ReplySink {
  /**
   * Called exactly once, on the loop. `status` 0: `bytes` is a reply frame, or a V2 response body with `headLength` the
   * length of its JSON part when binary tensors follow (0 = all JSON). Otherwise `status` is an error number, `bytes` its
   * UTF-8 message and `headLength` after how many milliseconds another try has better chances (0: nobody knows).
   * `bytes` must be used or copied before this returns, or before what `onDelivered` calls has returned; those of a long
   * reply may be kept (`keepDelivered`).
   * What it throws becomes an uncaught error once everybody else has been answered.
   */
  delivered(status: number, bytes: Uint8Array, headLength: number): void;
}

/**
 * `submit*` answer a ticket (>= 0) when the request was accepted: the sink will be called exactly once, never before
 * submit has returned. A negative result is minus an error number: the sink is not called, `lastErrorText` has the message.
 */
export interface Engine {
  info(): EngineInfo;
  open(options: OpenOptions): Promise<OpenedModel>;
  /** Warm-up makes no batch of more than `warmUpRows`; left out: of `maxBatchRows`. */
  start(handle: ModelHandle, plan: ServePlan, warmUpRows?: number): Promise<StartReport>;
  /** Waits for accepted requests, then frees the session. */
  close(handle: ModelHandle): Promise<void>;
  /**
   * `headLength`: value of Inference-Header-Content-Length, or -1 when the header is absent (the body is all JSON).
   * `timeoutMs`: the time that the client has left, 0 where it did not say. `priority`: 1 is the highest, 0 leaves it to
   * the body or the model, BACKGROUND_PRIORITY takes idle capacity only.
   */
  submit(
    handle: ModelHandle,
    headLength: number,
    body: ArrayBuffer,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number;
  /** The same for a body that was collected with `bodyOpen`/`bodyAppend`; the body belongs to the engine from here on. */
  submitBody(
    handle: ModelHandle,
    headLength: number,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number;
  /**
   * Copies the frames of a WebSocket message in and verifies them. How many there are, or minus an error number where one is no
   * frame and none is kept. What each is stands in its row of `frameFacts` (FRAME_FACTS) until the next call; for a request,
   * `submitFrame` or `bodyDrop` goes on from here.
   */
  readFrames(message: ArrayBuffer): number;
  readonly frameFacts: Uint32Array;
  /**
   * Submits the request frame together with the others of this tick: it always gets a ticket, and where it is refused its
   * sink is told. `shadow`: 0 for none.
   */
  submitFrame(
    handle: ModelHandle,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    shadow: number,
    sink: ReplySink,
  ): number;
  /** From here on, frames that name this model and give no number are told as if they gave `number` (> 0). */
  numberFrameModel(modelName: string, number: number): void;
  /** A text of a request frame (FRAME_TEXTS), '' where it is absent. */
  frameText(bodyId: number, field: number): string;
  /** `listener` is called whenever some answers have been delivered: time to write what they left to be written. */
  onDelivered(listener: () => void): void;
  /**
   * Where the reply frame that is being delivered lies in memory that it shares with its neighbours, each behind its record
   * (wire/bundles); 0: it has memory of its own. Valid during that call.
   */
  readonly deliveredAt: number;
  /** Stage times of the request that is being delivered: microseconds in the order of STAGES, valid during that call. */
  deliveredTimesUs(): Float32Array;
  /**
   * Keeps the bytes that are being delivered until the function that it answers is called, or forgotten; nobody changes them
   * meanwhile, and afterwards they are empty. undefined: a short reply, which cannot be kept.
   */
  keepDelivered(): (() => void) | undefined;
  lastErrorText(): string;
  /** After how many milliseconds what was refused last has better chances; 0: nobody knows. */
  lastRetryMs(): number;
  /** Requests were refused a moment ago for what waits: `refuseUnread` is worth its call. */
  readonly isCrowded: boolean;
  /**
   * For a request whose body has not been read: minus an error number where it could not be answered in time, which is then
   * counted as its refusal; 0 where it is to be submitted as usual.
   */
  refuseUnread(handle: ModelHandle, timeoutMs: number): number;
  /** The sink still gets its one call (CANCELLED, or the answer if it was already running). */
  cancel(ticket: number): void;
  /** Starts collecting a body; `expectedBytes` is the Content-Length or 0 when unknown. */
  bodyOpen(expectedBytes: number): number;
  bodyAppend(bodyId: number, chunk: ArrayBuffer): void;
  bodyDrop(bodyId: number): void;
  stats(handle: ModelHandle): VersionStats;
  /** Another number as soon as any count of `stats` is another one; cheap. */
  statsMark(handle: ModelHandle): bigint;
  /** Lets `shadow` run in the shadow of `primary`; answers its number (> 0). Throws where it cannot take the requests. */
  openShadow(primary: ModelHandle, shadow: ModelHandle, rules: ShadowRules): number;
  /** False when its last run has not ended in time; it then ends by itself. Closing a version closes its shadows, too. */
  closeShadow(shadow: number): Promise<boolean>;
  /** The next submit carries this shadow; no effect on its answer. */
  shadowNext(shadow: number): void;
  /** Throws for a shadow that is not open. */
  shadowFacts(shadow: number): ShadowFacts;
  shadowMismatches(shadow: number): Promise<ShadowMismatch[]>;
  /** No loads any more; waits until everything in flight is answered and loaded or closed, then ends the threads. */
  shutdown(): Promise<void>;
}
