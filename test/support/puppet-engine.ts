/**
 * An engine that moves only when told: records what was submitted, answers when the test says so, and complains about
 * every breach of the engine's contract (unknown bodies, answers to nobody). With `echoes` it answers each body with
 * itself on the next turn of the loop.
 */
import { ERRORS, type ErrorName } from '../../src/core/errors.js';
import type { OpenedModel } from '../../src/core/opening.js';
import type { Engine, EngineInfo, ReplySink } from '../../src/engine/engine.js';
import { FRAME_FACT_COUNT, FRAME_FACTS, FRAME_IS_BUNDLE, FRAME_KINDS } from '../../src/engine/frame-facts.js';
import type { StartReport } from '../../src/core/model.js';
import { STAGES, type VersionStats } from '../../src/core/version-stats.js';
import { emptyStats } from './version-stats.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../../src/core/shadow.js';

export interface Submission {
  readonly ticket: number;
  readonly handle: number;
  readonly headLength: number;
  readonly body: Buffer;
  readonly timeoutMs: number;
  readonly priority: number;
  readonly sink: ReplySink;
  isCancelled: boolean;
  isAnswered: boolean;
}

/**
 * `facts` in the order of FRAME_FACTS, without BODY and BYTES, `texts` in that of FRAME_TEXTS; a refusal is the reason why it is
 * no frame; with `bundle` it is those.
 */
export interface AnnouncedFrame {
  readonly facts: readonly number[];
  readonly texts?: readonly string[];
  readonly refusal?: string;
  readonly bundle?: readonly AnnouncedFrame[];
}

export interface OpenedShadow {
  readonly primary: number;
  readonly shadow: number;
  readonly rules: ShadowRules;
  isOpen: boolean;
}

export class PuppetEngine implements Engine {
  readonly submissions: Submission[] = [];
  /** Parts of the bodies that are being collected, by id. */
  readonly openBodies = new Map<number, Buffer[]>();
  readonly expectedBytes: number[] = [];
  /** The next submits are refused with these. */
  readonly refusals: Array<{ code: ErrorName; message: string }> = [];
  /** What is asked before a body is read, and the next answers; without one, the body is wanted. */
  readonly asked: Array<{ handle: number; timeoutMs: number }> = [];
  readonly unreadRefusals: Array<{ code: ErrorName; message: string }> = [];
  /** What the next messages are, in order. */
  readonly frames: AnnouncedFrame[] = [];
  readonly frameFacts = new Uint32Array(FRAME_IS_BUNDLE + 1);
  private readonly refused: Array<() => void> = [];
  readonly numberedModels = new Map<string, number>();
  private readonly texts = new Map<number, readonly string[]>();
  private afterDelivery: () => void = () => undefined;
  readonly shadows: OpenedShadow[] = [];
  readonly shadowRefusals: Error[] = [];
  /** The shadow that the next submit would carry. */
  nextShadow = 0;
  facts: ShadowFacts = {
    ...{ sampled: 0, answered: 0, compared: 0, apart: 0, rows: 0, runs: 0, waiting: 0, waitingBytes: 0 },
    ...{ dropped: {}, skipped: {}, primaryRunUs: [], shadowRunUs: [], outputs: [] },
    ...{ primaryRunSumUs: 0, shadowRunSumUs: 0 },
  };
  echoes = false;
  isShutDown = false;
  private nextBodyId = 0;
  /** What the next refusals and failures say of another try. */
  retryMs = 0;
  isCrowded = false;
  /** Where replies may be kept: told when they are needed no longer. */
  release: (() => void) | undefined = undefined;
  deliveredAt = 0;
  private lastError = '';
  private wakers: Array<{ count: number; wake: () => void }> = [];

  submit(
    handle: number,
    headLength: number,
    body: ArrayBuffer,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    return this.accept(handle, headLength, Buffer.from(body.slice(0)), timeoutMs, priority, sink);
  }

  submitBody(
    handle: number,
    headLength: number,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    const parts = this.takeBody(bodyId);
    return this.accept(handle, headLength, Buffer.concat(parts), timeoutMs, priority, sink);
  }

  /** A refusal is told at the end of the delivery. */
  submitFrame(
    handle: number,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    shadow: number,
    sink: ReplySink,
  ): number {
    if (shadow !== 0) this.nextShadow = shadow;
    const ticket = this.accept(handle, 0, Buffer.concat(this.takeBody(bodyId)), timeoutMs, priority, sink);
    if (ticket >= 0) return ticket;
    const message = Buffer.from(this.lastError);
    this.refused.push(() => {
      sink.delivered(-ticket, message, this.retryMs);
    });
    return this.submissions.length;
  }

  /** Frames are not the puppet's to read: a test says what the next message is. */
  readFrames(message: ArrayBuffer): number {
    const announced = this.frames.shift();
    if (announced === undefined) throw new Error('a message came that the test has not announced');
    if (announced.refusal !== undefined) {
      this.lastError = announced.refusal;
      return -ERRORS.BAD_REQUEST.number;
    }
    const frames = announced.bundle ?? [announced];
    this.frameFacts[FRAME_IS_BUNDLE] = announced.bundle === undefined ? 0 : 1;
    for (const [row, frame] of frames.entries()) this.readOne(row, frame, message);
    return frames.length;
  }

  private readOne(row: number, { facts, texts = [] }: AnnouncedFrame, message: ArrayBuffer): void {
    const at = row * FRAME_FACT_COUNT;
    this.frameFacts.set(facts, at);
    this.frameFacts[at + FRAME_FACTS.BYTES] = message.byteLength;
    if (facts[FRAME_FACTS.KIND] !== FRAME_KINDS.REQUEST) return;
    const bodyId = this.bodyOpen(0);
    this.bodyAppend(bodyId, message);
    this.texts.set(bodyId, texts);
    this.frameFacts[at + FRAME_FACTS.BODY] = bodyId;
  }

  numberFrameModel(modelName: string, number: number): void {
    this.numberedModels.set(modelName, number);
  }

  frameText(bodyId: number, field: number): string {
    return this.texts.get(bodyId)?.[field] ?? '';
  }

  onDelivered(listener: () => void): void {
    this.afterDelivery = listener;
  }

  /** What the engine does at the end of a delivery. */
  endDelivery(): void {
    for (const tell of this.refused.splice(0)) tell();
    this.afterDelivery();
  }

  keepDelivered(): (() => void) | undefined {
    return this.release;
  }

  deliveredTimesUs(): Float32Array {
    return new Float32Array(STAGES.length);
  }

  lastErrorText(): string {
    return this.lastError;
  }

  lastRetryMs(): number {
    return this.retryMs;
  }

  refuseUnread(handle: number, timeoutMs: number): number {
    this.asked.push({ handle, timeoutMs });
    const refusal = this.unreadRefusals.shift();
    if (refusal === undefined) return 0;
    this.lastError = refusal.message;
    return -ERRORS[refusal.code].number;
  }

  cancel(ticket: number): void {
    const submission = this.submissions[ticket];
    if (submission === undefined) throw new Error(`cancel of ticket ${ticket}, which was never given`);
    submission.isCancelled = true;
  }

  bodyOpen(expectedBytes: number): number {
    const id = this.nextBodyId;
    this.nextBodyId += 1;
    this.openBodies.set(id, []);
    this.expectedBytes.push(expectedBytes);
    return id;
  }

  bodyAppend(bodyId: number, chunk: ArrayBuffer): void {
    const parts = this.openBodies.get(bodyId);
    if (parts === undefined) throw new Error(`append to body ${bodyId}, which is not open`);
    parts.push(Buffer.from(chunk.slice(0)));
  }

  bodyDrop(bodyId: number): void {
    this.takeBody(bodyId);
  }

  /** Answers a submission; the default is its own body as JSON. */
  answer(submission: Submission, bytes: Uint8Array = submission.body, headLength = 0): void {
    submission.isAnswered = true;
    submission.sink.delivered(0, bytes, headLength);
  }

  fail(submission: Submission, code: ErrorName, message: string): void {
    submission.isAnswered = true;
    submission.sink.delivered(ERRORS[code].number, Buffer.from(message), this.retryMs);
  }

  get waiting(): Submission[] {
    return this.submissions.filter((submission) => !submission.isAnswered);
  }

  /** Resolves once `count` requests have been submitted since the start. */
  submitted(count: number): Promise<void> {
    if (this.submissions.length >= count) return Promise.resolve();
    return new Promise((wake) => this.wakers.push({ count, wake }));
  }

  info(): EngineInfo {
    return {
      interfaceNumber: 0,
      onnxruntimePath: '',
      onnxruntimeVersion: '0.0.0',
      providers: [],
      workers: 0,
      hasCuda: false,
    };
  }

  open(): Promise<OpenedModel> {
    return Promise.reject(new Error('the puppet opens no models'));
  }

  start(): Promise<StartReport> {
    return Promise.reject(new Error('the puppet starts no models'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  stats(): VersionStats {
    return emptyStats();
  }

  statsMark(): bigint {
    return 0n;
  }

  openShadow(primary: number, shadow: number, rules: ShadowRules): number {
    const refusal = this.shadowRefusals.shift();
    if (refusal !== undefined) throw refusal;
    this.shadows.push({ primary, shadow, rules, isOpen: true });
    return this.shadows.length;
  }

  closeShadow(number: number): Promise<boolean> {
    const opened = this.shadows[number - 1];
    if (opened?.isOpen !== true) throw new Error(`close of shadow ${number}, which is not open`);
    opened.isOpen = false;
    return Promise.resolve(true);
  }

  shadowNext(number: number): void {
    this.nextShadow = number;
  }

  shadowFacts(number: number): ShadowFacts {
    const facts = this.shadows[number - 1]?.isOpen === true ? this.facts : undefined;
    if (facts === undefined) throw new Error(`no open shadow has the number ${number}`);
    return facts;
  }

  shadowMismatches(): Promise<ShadowMismatch[]> {
    return Promise.resolve([]);
  }

  shutdown(): Promise<void> {
    this.isShutDown = true;
    return Promise.resolve();
  }

  private takeBody(bodyId: number): Buffer[] {
    const parts = this.openBodies.get(bodyId);
    if (parts === undefined) throw new Error(`use of body ${bodyId}, which is not open`);
    this.openBodies.delete(bodyId);
    return parts;
  }

  private accept(
    handle: number,
    headLength: number,
    body: Buffer,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      this.lastError = refusal.message;
      return -ERRORS[refusal.code].number;
    }
    const ticket = this.submissions.length;
    const submission = {
      ...{ ticket, handle, headLength, body, timeoutMs, priority, sink },
      isCancelled: false,
      isAnswered: false,
    };
    this.submissions.push(submission);
    if (this.echoes) setImmediate(() => this.answer(submission));
    const ready = this.wakers.filter((waker) => waker.count <= this.submissions.length);
    this.wakers = this.wakers.filter((waker) => !ready.includes(waker));
    for (const waker of ready) waker.wake();
    return ticket;
  }
}
