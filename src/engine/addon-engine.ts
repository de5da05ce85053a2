/**
 * The Engine over the native addon, for one event loop. It owns the sinks of requests in flight, by ticket, and reads answers
 * from memory that the addon exported once. Requests of one tick go to the addon together, at the tick's end.
 */
import { ERRORS, SluiceError } from '../core/errors.js';
import type { ServePlan, StartReport } from '../core/model.js';
import { STAGES, type VersionStats } from '../core/version-stats.js';
import type { ShadowFacts, ShadowMismatch, ShadowRules } from '../core/shadow.js';
import { addonPath, fromAddonError, loadAddon, type Addon } from './addon.js';
import type { OpenedModel, OpenOptions } from '../core/opening.js';
import type { Engine, EngineInfo, ModelHandle, ReplySink } from './engine.js';
import { checkAllowedCpus, settingsOf, type EngineOptions } from './engine-settings.js';
import { FRAME_CHOICE, FRAME_CHOICE_FIELDS, FRAME_CHOICE_ROWS } from './frame-facts.js';
import { SlowCalls } from './slow-calls.js';

const QUEUE_FULL = ERRORS.QUEUE_FULL.number;
/** After a tick without a refusal there is still one more. */
const CROWDED_TICKS = 2;
/** Fields of a row of the ring: ticket, error number, offset, length, length of the JSON part. */
const RING_FIELDS = 5;
/** Words behind its 1024 rows: the addon tells that more is ready, and is told that all rows have been delivered. */
const RING_HAS_MORE = 1024 * RING_FIELDS;
const RING_IS_READ = RING_HAS_MORE + 1;

/** Opens ONNX Runtime and starts the worker threads; throws a SluiceError that says what is missing. */
export function createEngine(options: EngineOptions = {}): Engine {
  return new AddonEngine(loadAddon(addonPath(options.addonPath)), options);
}

/** The delivery goes on: an error of one sink is nothing to the others. */
function throwUncaught(cause: unknown): void {
  process.nextTick(() => {
    throw cause;
  });
}

class AddonEngine implements Engine {
  private readonly addon: Addon;
  readonly frameFacts: Uint32Array;
  private readonly frameChoices: Uint32Array;
  private chosenFrames = 0;
  private readonly ring: Uint32Array;
  private readonly replies: ArrayBuffer;
  private readonly times: Float32Array;
  /** Views of `replies` by row of the ring. */
  private readonly views: Array<Uint8Array | undefined> = [];
  /** Row of the ring that is being delivered. */
  private delivering = 0;
  private readonly nextShadow: Uint32Array;
  private readonly sinks: Array<ReplySink | undefined> = [];
  private afterDelivery: () => void = () => undefined;
  private inFlight = 0;
  private isTickArmed = false;
  /** Ticks for which refusals are expected. */
  private crowdedTicks = 0;
  private isStopping = false;
  private whenIdle: (() => void) | undefined;
  private readonly slowCalls = new SlowCalls();

  constructor(addon: Addon, options: EngineOptions) {
    this.addon = addon;
    const settings = settingsOf(options);
    try {
      const memory = addon.openEngine(settings, this.onWake);
      this.ring = new Uint32Array(memory.ring);
      this.replies = memory.replies;
      this.times = new Float32Array(memory.times);
      this.frameFacts = new Uint32Array(memory.frameFacts);
      this.frameChoices = new Uint32Array(memory.frameChoices);
      this.nextShadow = new Uint32Array(memory.nextShadow);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  info(): EngineInfo {
    return { interfaceNumber: this.addon.interfaceNumber, ...this.addon.info() };
  }

  open(options: OpenOptions): Promise<OpenedModel> {
    return this.slowCalls.run(() => {
      this.mustRun();
      checkAllowedCpus('intra_op_cpus', options.intraOpCpus ?? []);
      return this.addon.openModel(options);
    });
  }

  start(handle: ModelHandle, plan: ServePlan, warmUpRows = 0): Promise<StartReport> {
    return this.slowCalls.run(() => {
      this.mustRun();
      return this.addon.startModel(handle, plan, warmUpRows);
    });
  }

  close(handle: ModelHandle): Promise<void> {
    // What has chosen the version keeps it.
    this.submitChosen();
    return this.slowCalls.run(() => this.addon.closeModel(handle));
  }

  submit(
    handle: ModelHandle,
    headLength: number,
    body: ArrayBuffer,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    return this.accepted(this.addon.submit(handle, headLength, body, timeoutMs, priority), sink);
  }

  submitBody(
    handle: ModelHandle,
    headLength: number,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    sink: ReplySink,
  ): number {
    return this.accepted(this.addon.submitBody(handle, headLength, bodyId, timeoutMs, priority), sink);
  }

  readFrame(message: ArrayBuffer): number {
    return this.addon.readFrame(message);
  }

  submitFrame(
    handle: ModelHandle,
    bodyId: number,
    timeoutMs: number,
    priority: number,
    shadow: number,
    sink: ReplySink,
  ): number {
    if (this.chosenFrames === FRAME_CHOICE_ROWS) this.submitChosen();
    const choices = this.frameChoices;
    const at = this.chosenFrames * FRAME_CHOICE_FIELDS;
    choices[at + FRAME_CHOICE.BODY] = bodyId;
    choices[at + FRAME_CHOICE.HANDLE] = handle;
    choices[at + FRAME_CHOICE.DEADLINE_MS] = timeoutMs;
    choices[at + FRAME_CHOICE.PRIORITY] = priority;
    choices[at + FRAME_CHOICE.SHADOW] = shadow;
    this.chosenFrames += 1;
    return this.accepted(bodyId, sink);
  }

  frameText(bodyId: number, field: number): string {
    return this.addon.frameText(bodyId, field);
  }

  numberFrameModel(modelName: string, number: number): void {
    this.addon.numberFrameModel(modelName, number);
  }

  onDelivered(listener: () => void): void {
    this.afterDelivery = listener;
  }

  deliveredTimesUs(): Float32Array {
    const at = this.delivering * STAGES.length;
    return this.times.subarray(at, at + STAGES.length);
  }

  lastErrorText(): string {
    return this.addon.lastErrorText();
  }

  lastRetryMs(): number {
    return this.addon.lastRetryMs();
  }

  get isCrowded(): boolean {
    return this.crowdedTicks > 0;
  }

  refuseUnread(handle: ModelHandle, timeoutMs: number): number {
    const answer = this.addon.refuseUnread(handle, timeoutMs);
    if (answer < 0) this.noteCrowd();
    return answer;
  }

  cancel(ticket: number): void {
    this.addon.cancel(ticket);
    // One that waited is answered already; nobody else may come to fetch it.
    this.armTick();
  }

  bodyOpen(expectedBytes: number): number {
    return this.addon.bodyOpen(expectedBytes);
  }

  bodyAppend(bodyId: number, chunk: ArrayBuffer): void {
    this.addon.bodyAppend(bodyId, chunk);
  }

  bodyDrop(bodyId: number): void {
    this.addon.bodyDrop(bodyId);
  }

  stats(handle: ModelHandle): VersionStats {
    return this.addon.stats(handle);
  }

  statsMark(handle: ModelHandle): bigint {
    return this.addon.statsMark(handle);
  }

  openShadow(primary: ModelHandle, shadow: ModelHandle, rules: ShadowRules): number {
    try {
      return this.addon.openShadow(primary, shadow, rules);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  /** Nobody waits for it, so it does not keep the process alive: the engine may close before it is done. */
  closeShadow(shadow: number): Promise<boolean> {
    return this.addon.closeShadow(shadow);
  }

  shadowNext(shadow: number): void {
    this.nextShadow[0] = shadow;
  }

  shadowFacts(shadow: number): ShadowFacts {
    try {
      return this.addon.shadowReport(shadow);
    } catch (cause) {
      throw fromAddonError(cause);
    }
  }

  shadowMismatches(shadow: number): Promise<ShadowMismatch[]> {
    return this.slowCalls.run(() => this.addon.shadowMismatches(shadow));
  }

  async shutdown(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.whenIdle = resolve));
    // What loads or closes comes to its end: after `closeEngine` nobody would hear of it.
    await this.slowCalls.settled();
    this.addon.closeEngine();
  }

  private mustRun(): void {
    if (this.isStopping) throw new SluiceError('DRAINING', 'the server is shutting down');
  }

  private accepted(ticket: number, sink: ReplySink): number {
    if (ticket < 0) {
      if (ticket === -QUEUE_FULL) this.noteCrowd();
      return ticket;
    }
    this.sinks[ticket] = sink;
    this.inFlight += 1;
    this.armTick();
    return ticket;
  }

  private submitChosen(): void {
    if (this.chosenFrames > 0) this.addon.submitFrames(this.chosenFrames);
    this.chosenFrames = 0;
  }

  /** The tick's end is where the loop may rest, and where the crowd may be over. */
  private noteCrowd(): void {
    this.crowdedTicks = CROWDED_TICKS;
    this.armTick();
  }

  private armTick(): void {
    if (this.isTickArmed) return;
    this.isTickArmed = true;
    setImmediate(this.onTickEnd);
  }

  private readonly onTickEnd = (): void => {
    this.isTickArmed = false;
    if (this.crowdedTicks > 0) this.crowdedTicks -= 1;
    const { chosenFrames } = this;
    this.chosenFrames = 0;
    this.deliver(this.addon.flush(chosenFrames));
  };

  private readonly onWake = (): void => {
    this.deliver(this.addon.drain());
  };

  /**
   * Reads the ring until nothing is left; a reply that does not fit the shared memory comes alone. What workers finish
   * meanwhile has a wake-up of its own.
   */
  private deliver(rows: number): void {
    const { ring } = this;
    while (rows !== 0) {
      if (rows < 0) this.deliverRow(0, this.addon.takeLong());
      else for (let row = 0; row < rows; row += 1) this.deliverRow(row, this.replies);
      try {
        this.afterDelivery();
      } catch (cause) {
        throwUncaught(cause);
      }
      rows = ring[RING_HAS_MORE] === 0 ? 0 : this.addon.drain();
    }
    ring[RING_IS_READ] = 1;
    if (this.inFlight === 0 && this.whenIdle !== undefined) this.whenIdle();
  }

  private deliverRow(row: number, memory: ArrayBuffer): void {
    this.delivering = row;
    const at = row * RING_FIELDS;
    const ring = this.ring;
    const ticket = ring[at]!;
    const sink = this.sinks[ticket]!;
    this.sinks[ticket] = undefined;
    this.inFlight -= 1;
    const status = ring[at + 1]!;
    if (status === QUEUE_FULL) this.noteCrowd();
    const bytes = this.bytesOf(row, memory, ring[at + 2]!, ring[at + 3]!);
    try {
      sink.delivered(status, bytes, ring[at + 4]!);
    } catch (cause) {
      throwUncaught(cause);
    }
  }

  /** Replies of one model are alike, so a row's bytes mostly lie where they lay before: the view of them is kept. */
  private bytesOf(row: number, memory: ArrayBuffer, offset: number, length: number): Uint8Array {
    const known = this.views[row];
    if (known?.length === length && known.byteOffset === offset && memory === this.replies) return known;
    const view = new Uint8Array(memory, offset, length);
    if (memory === this.replies) this.views[row] = view;
    return view;
  }
}
